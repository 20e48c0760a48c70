// Uses Omnify through this program's own Dapr sidecar, knowing nothing of it but docs/contracts.
//
//	go-caller events  -record FILE                take events until SIGTERM
//	go-caller journey -email ADDRESS -orders FILE sign up, import orders, read the numbers
//
// Everything it learns goes to standard output, one JSON object per line. On failure: one line on standard error, status 1.
// Environment: DAPR_HTTP_PORT, DAPR_API_TOKEN, APP_PORT, APP_API_TOKEN, OMNIFY_CONTRACTS, OMNIFY_PASSWORD.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

const appID = "go-caller"

// line is one JSON object of the output.
type line map[string]any

var output sync.Mutex

func show(one line) {
	output.Lock()
	defer output.Unlock()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(one)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", appID, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say what to do: events or journey")
	}
	flags := flag.NewFlagSet(appID, flag.ContinueOnError)
	record := flags.String("record", "", "file of what was received")
	email := flags.String("email", "", "address to register")
	orders := flags.String("orders", "", "CSV file with customer, day and paid")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	switch arguments[0] {
	case "events":
		return listen(ctx, *record)
	case "journey":
		return travel(ctx, *email, *orders)
	}
	return errors.New("say what to do: events or journey")
}

func listen(ctx context.Context, record string) error {
	port := os.Getenv("APP_PORT")
	if port == "" || record == "" {
		return errors.New("APP_PORT or -record is missing")
	}
	ledger, err := openLedger(record)
	if err != nil {
		return err
	}
	defer ledger.close()
	schemas, err := readSchemas(cmp.Or(os.Getenv("OMNIFY_CONTRACTS"), "docs/contracts"))
	if err != nil {
		return err
	}
	return serve(ctx, port, &subscriber{ledger: ledger, schemas: schemas, token: os.Getenv("APP_API_TOKEN")})
}

func travel(ctx context.Context, email, orders string) error {
	port, password := os.Getenv("DAPR_HTTP_PORT"), os.Getenv("OMNIFY_PASSWORD")
	if port == "" || password == "" || email == "" || orders == "" {
		return errors.New("DAPR_HTTP_PORT, OMNIFY_PASSWORD, -email or -orders is missing")
	}
	omnify := newOmnify(port, os.Getenv("DAPR_API_TOKEN"))
	return (&journey{omnify: omnify, keys: &keys{omnify: omnify}, email: email, password: password}).walk(ctx, orders)
}
