package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	deadLetters = appID + "-deadletters"
	maxBody     = 1 << 20 // bytes
	drop        = "DROP"  // to the dead letters: trying again would not help
	success     = "SUCCESS"
)

// event is a CloudEvent as auth publishes it; the schema has checked what is in it.
type event struct {
	ID, Source, Type, Subject, Sequence string
	Data                                json.RawMessage
}

// subscriber takes events of auth from the sidecar. Delivery is at least once and in no order: see the ledger.
type subscriber struct {
	ledger  *ledger
	schemas map[string]*jsonschema.Schema
	token   string
}

// serve answers the sidecar until ctx ends.
func serve(ctx context.Context, port string, s *subscriber) error {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, line{"status": "healthy"})
	})
	routes.Handle("GET /dapr/subscribe", s.fromSidecar(func([]byte) (any, error) {
		return []line{
			{"pubsubname": "pubsub", "topic": "auth-events", "route": "/events", "deadLetterTopic": deadLetters},
			{"pubsubname": "pubsub", "topic": deadLetters, "route": "/dead-letters"},
		}, nil
	}))
	routes.Handle("POST /events", s.fromSidecar(s.take))
	routes.Handle("POST /dead-letters", s.fromSidecar(s.bury))
	server := &http.Server{
		Addr: "127.0.0.1:" + port, Handler: routes, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	show(line{"listening": port})
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return server.Shutdown(ending)
	}
}

// fromSidecar admits only calls with the token that this program shares with its sidecar, and gives their body.
func (s *subscriber) fromSidecar(handle func(body []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("dapr-api-token")
		if s.token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) != 1 {
			http.Error(w, "only the sidecar may call this", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err == nil {
			var result any
			if result, err = handle(body); err == nil {
				answer(w, result)
				return
			}
		}
		log.Print(err)
		http.Error(w, "failed", http.StatusInternalServerError) // delivered again
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// take tells the sidecar what to do with an event. A type that no contract names is not ours: later versions may send it.
func (s *subscriber) take(body []byte) (any, error) {
	var found event
	if err := json.Unmarshal(body, &found); err != nil || found.ID == "" || found.Source == "" {
		return line{"status": drop}, nil
	}
	schema, known := s.schemas[found.Type]
	if !known {
		return line{"status": success}, nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(document)
	}
	if err != nil {
		log.Printf("dropped %s: %s", found.ID, strings.ReplaceAll(err.Error(), "\n", " "))
		return line{"status": drop}, nil
	}
	return line{"status": success}, s.ledger.take(found)
}

// bury keeps a dead letter: an event that this program could not handle.
func (s *subscriber) bury(body []byte) (any, error) {
	var found struct{ ID, Source, Type any }
	_ = json.Unmarshal(body, &found)
	return line{"status": success}, s.ledger.bury(found.Type, found.ID, found.Source)
}

// readSchemas compiles the published JSON Schemas of auth's events, by event type.
func readSchemas(contracts string) (map[string]*jsonschema.Schema, error) {
	files, err := filepath.Glob(filepath.Join(contracts, "events", "omnify.auth.*.schema.json"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no event schemas below %s", contracts))
	}
	compiler, found := jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}
	compiler.AssertFormat()
	for _, file := range files {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(opened)
		if err := errors.Join(err, opened.Close(), compiler.AddResource(file, document)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		schema, err := compiler.Compile(file)
		if err != nil {
			return nil, err
		}
		found[strings.TrimSuffix(filepath.Base(file), ".schema.json")] = schema
	}
	return found, nil
}
