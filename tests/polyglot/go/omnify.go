package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	callTimeout = 30 * time.Second // of one try
	tries       = 4
	longestWait = 30 * time.Second // that Retry-After may ask for
	maxAnswer   = 16 << 20         // bytes
)

// omnify calls the services by Dapr's service invocation API.
type omnify struct {
	base, token string
	client      http.Client
}

func newOmnify(port, token string) *omnify {
	return &omnify{
		base:   "http://127.0.0.1:" + port + "/v1.0/invoke/",
		token:  token,
		client: http.Client{Timeout: callTimeout},
	}
}

// problem is an error as Omnify tells it (RFC 9457): Type is stable, Detail is for people.
type problem struct {
	step     string
	Type     string
	Status   int
	Detail   string
	document line
}

func (p *problem) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", p.step, p.Status, p.Type, p.Detail)
}

// request is one call; body is sent as contentType when it is not nil.
type request struct {
	app, method, path string
	contentType       string
	body              []byte
	bearer            string
}

// call makes a request and reads the JSON of its answer into result, unless that is nil. It waits and asks again when
// told to. The error is a *problem for a refusal.
func (o *omnify) call(ctx context.Context, one request, result any) error {
	path, _, _ := strings.Cut(one.path, "?")
	step := fmt.Sprintf("%s %s %s", one.method, one.app, path)
	for tried := 1; ; tried++ {
		answer, content, err := o.send(ctx, one)
		if err != nil {
			return fmt.Errorf("%s: no answer from the sidecar: %w", step, err)
		}
		if answer.StatusCode < 300 {
			if result == nil {
				return nil
			}
			return json.Unmarshal(content, result)
		}
		wait, again := askAgain(answer)
		if !again || tried == tries {
			return refusal(step, answer, content)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *omnify) send(ctx context.Context, one request) (*http.Response, []byte, error) {
	made, err := http.NewRequestWithContext(ctx, one.method, o.base+one.app+"/method"+one.path, bytes.NewReader(one.body))
	if err != nil {
		return nil, nil, err
	}
	made.Header.Set("accept", "application/json, application/problem+json")
	made.Header.Set("dapr-api-token", o.token)
	if one.bearer != "" {
		made.Header.Set("authorization", "Bearer "+one.bearer)
	}
	if one.body != nil {
		made.Header.Set("content-type", one.contentType)
	}
	answer, err := o.client.Do(made)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer, content, err
}

func askAgain(answer *http.Response) (time.Duration, bool) {
	if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	seconds, err := strconv.Atoi(answer.Header.Get("retry-after"))
	if err != nil {
		seconds = 1
	}
	wait := time.Duration(seconds) * time.Second
	return wait, wait <= longestWait
}

func refusal(step string, answer *http.Response, content []byte) error {
	if !strings.HasPrefix(answer.Header.Get("content-type"), "application/problem+json") {
		return fmt.Errorf("%s: %d from the sidecar: %.200s", step, answer.StatusCode, content)
	}
	found := &problem{step: step}
	if err := errors.Join(json.Unmarshal(content, found), json.Unmarshal(content, &found.document)); err != nil {
		return fmt.Errorf("%s: %d with an unreadable problem: %w", step, answer.StatusCode, err)
	}
	return found
}
