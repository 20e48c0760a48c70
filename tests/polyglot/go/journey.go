package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	mailTimeout    = 5 * time.Minute
	revokedTimeout = 30 * time.Second
	poll           = 200 * time.Millisecond
)

// journey is a marketer's way: sign up, prove the address, sign in, import orders, read the numbers, sign out.
type journey struct {
	omnify          *omnify
	keys            *keys
	email, password string
	access          string
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	SessionID    string `json:"session_id"`
	User         line   `json:"user"`
}

func (j *journey) walk(ctx context.Context, orders string) error {
	if err := j.signUp(ctx); err != nil {
		return err
	}
	session, err := j.signIn(ctx)
	if err != nil {
		return err
	}
	if err := j.importOrders(ctx, orders); err != nil {
		return err
	}
	if err := j.numbers(ctx); err != nil {
		return err
	}
	if err := j.omnify.call(ctx, request{app: "auth", method: "POST", path: "/api/auth/logout", bearer: j.access}, nil); err != nil {
		return err
	}
	show(line{"step": "logout", "session_id": session})
	if err := until(ctx, "the ended session is refused", revokedTimeout, j.isRefused); err != nil {
		return err
	}
	show(line{"step": "done"})
	return nil
}

func (j *journey) signUp(ctx context.Context) error {
	person := line{
		"email": j.email, "password": j.password, "full_name": "Grace Hopper", "organization_name": "Compilers",
	}
	var accepted, verified struct{ Status string }
	if err := j.auth(ctx, "register", person, &accepted); err != nil {
		return err
	}
	show(line{"step": "register", "status": accepted.Status})
	show(line{"step": "paste the mail's link"})
	token, err := tokenOfTheMail(ctx)
	if err != nil {
		return err
	}
	if err := j.auth(ctx, "verify-email", line{"token": token}, &verified); err != nil {
		return err
	}
	show(line{"step": "verify-email", "status": verified.Status})
	return refused("login", j.auth(ctx, "login", line{"email": j.email, "password": j.password + "!"}, nil))
}

// signIn gives the session's id.
func (j *journey) signIn(ctx context.Context) (string, error) {
	var first, fresh tokens
	if err := j.auth(ctx, "login", line{"email": j.email, "password": j.password}, &first); err != nil {
		return "", err
	}
	found, err := j.keys.verify(ctx, first.AccessToken)
	if err != nil {
		return "", err
	}
	show(line{"step": "login", "user": first.User, "claims": found.all})
	if err := refused("forged token", j.me(ctx, forged(first.AccessToken), nil)); err != nil {
		return "", err
	}
	if err := j.auth(ctx, "refresh", line{"refresh_token": first.RefreshToken}, &fresh); err != nil {
		return "", err
	}
	if found, err = j.keys.verify(ctx, fresh.AccessToken); err != nil {
		return "", err
	}
	j.access = fresh.AccessToken
	show(line{"step": "refresh", "claims": found.all})
	var me line
	if err := j.me(ctx, j.access, &me); err != nil {
		return "", err
	}
	show(line{"step": "me", "me": me})
	return fresh.SessionID, nil
}

func (j *journey) auth(ctx context.Context, path string, form line, result any) error {
	body, err := json.Marshal(form)
	if err != nil {
		return err
	}
	one := request{app: "auth", method: "POST", path: "/api/auth/" + path, contentType: "application/json", body: body}
	return j.omnify.call(ctx, one, result)
}

func (j *journey) me(ctx context.Context, bearer string, result any) error {
	return j.omnify.call(ctx, request{app: "auth", method: "GET", path: "/api/auth/me", bearer: bearer}, result)
}

func (j *journey) analytics(ctx context.Context, path string, result any) error {
	one := request{app: "analytics", method: "GET", path: "/api/analytics/" + path, bearer: j.access}
	return j.omnify.call(ctx, one, result)
}

func (j *journey) isRefused(ctx context.Context) (bool, error) {
	err := j.analytics(ctx, "imports?limit=1", nil)
	var found *problem
	if errors.As(err, &found) && found.Status == 401 {
		return true, nil
	}
	return false, err
}

// refused shows a refusal that is meant to happen; anything else is an error.
func refused(step string, err error) error {
	var found *problem
	if errors.As(err, &found) {
		show(line{"step": step, "problem": found.document})
		return nil
	}
	if err == nil {
		return fmt.Errorf("%s: was not refused", step)
	}
	return err
}

// forged is the token with its signature's first letter changed.
func forged(token string) string {
	at, letter := strings.LastIndex(token, ".")+1, "A"
	if token[at] == 'A' {
		letter = "B"
	}
	return token[:at] + letter + token[at+1:]
}

// tokenOfTheMail is the verification token from a line of standard input: the mail's link, or the token alone.
func tokenOfTheMail(ctx context.Context) (string, error) {
	read := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		read <- strings.TrimSpace(text)
	}()
	select {
	case text := <-read:
		if text == "" {
			return "", errors.New("no link of the mail on standard input")
		}
		_, token, found := strings.Cut(text, "#token=")
		if !found {
			token = text
		}
		return token, nil
	case <-time.After(mailTimeout):
		return "", errors.New("no link of the mail on standard input")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func until(ctx context.Context, what string, timeout time.Duration, check func(context.Context) (bool, error)) error {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); {
		done, err := check(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("not within %s: %s", timeout, what)
}
