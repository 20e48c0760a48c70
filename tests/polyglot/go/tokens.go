package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	issuer, audience = "omnify", "omnify"
	leeway           = 30 * time.Second
)

// keys are auth's published ones, with which access tokens are checked without asking auth about each.
type keys struct {
	omnify *omnify
	known  jose.JSONWebKeySet
}

// claims of an access token (RFC 9068): those that this program looks at, and all of them.
type claims struct {
	jwt.Claims
	Organization string `json:"org"`
	Session      string `json:"sid"`
	all          line
}

// verify gives a token's claims, and an error when the token is not to be trusted.
func (k *keys) verify(ctx context.Context, text string) (*claims, error) {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return nil, errors.New("access token: not of the type at+jwt")
	}
	key, err := k.key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	found := &claims{}
	if err := token.Claims(key, found, &found.all); err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: time.Now()}
	if err := found.ValidateWithLeeway(expected, leeway); err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	if found.Expiry == nil || found.Subject == "" || found.Organization == "" || found.Session == "" {
		return nil, errors.New("access token: exp, sub, org or sid is missing")
	}
	return found, nil
}

// key of an id; the keys are fetched when it is not among the known ones.
func (k *keys) key(ctx context.Context, id string) (*jose.JSONWebKey, error) {
	if len(k.known.Key(id)) == 0 {
		wanted := request{app: "auth", method: "GET", path: "/.well-known/jwks.json"}
		if err := k.omnify.call(ctx, wanted, &k.known); err != nil {
			return nil, err
		}
	}
	found := k.known.Key(id)
	if len(found) == 0 {
		return nil, fmt.Errorf("access token: no published key has the id %q", id)
	}
	return &found[0], nil
}
