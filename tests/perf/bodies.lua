-- Posts the bodies one after the other.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

request = function()
  number = number % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[number])
end
