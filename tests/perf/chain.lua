-- Posts refresh tokens; each answer brings the next one of its session. There are more tokens than connections.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

request = function()
  return wrk.format(nil, nil, nil, '{"refresh_token":"' .. table.remove(tokens, 1) .. '"}')
end

response = function(status, headers, body)
  if status == 200 then
    tokens[#tokens + 1] = body:match('"refresh_token":"([^"]+)"')
  end
end
