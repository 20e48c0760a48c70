package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"sync"
)

// kept is one line of the ledger's file, which is also what the program prints.
type kept struct {
	Event    string          `json:"event"`
	ID       string          `json:"id"`
	Source   string          `json:"source"`
	Subject  string          `json:"subject"`
	Sequence string          `json:"sequence"`
	Latest   bool            `json:"latest"`
	Data     json.RawMessage `json:"data"`
}

// buried is the line of a dead letter.
type buried struct {
	Type   any `json:"dead_letter"`
	ID     any `json:"id"`
	Source any `json:"source"`
}

// ledger holds what was received, in a file of JSON lines that is written before an event is acknowledged.
type ledger struct {
	lock   sync.Mutex
	file   *os.File
	seen   map[[2]string]bool     // by source and id: a second delivery carries the same ones
	newest map[[2]string]*big.Int // highest sequence by source and subject: an event may come after a newer one
}

// openLedger reads what an earlier run has kept, without a last line that a crash cut off.
func openLedger(path string) (*ledger, error) {
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	content = content[:bytes.LastIndexByte(content, '\n')+1]
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, seen: map[[2]string]bool{}, newest: map[[2]string]*big.Int{}}
	for text := range bytes.Lines(content) {
		var one kept
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		l.remember(one)
	}
	return l, file.Truncate(int64(len(content)))
}

func (l *ledger) close() { _ = l.file.Close() }

// take keeps and prints an event, once.
func (l *ledger) take(e event) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.seen[[2]string{e.Source, e.ID}] {
		return nil
	}
	newest, known := l.newest[[2]string{e.Source, e.Subject}]
	one := kept{
		Event: e.Type, ID: e.ID, Source: e.Source, Subject: e.Subject, Sequence: e.Sequence, Data: e.Data,
		Latest: !known || number(e.Sequence).Cmp(newest) > 0,
	}
	if err := l.keep(one); err != nil {
		return err
	}
	l.remember(one)
	return nil
}

func (l *ledger) bury(eventType, id, source any) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.keep(buried{Type: eventType, ID: id, Source: source})
}

// keep writes a line to the disk, then to standard output.
func (l *ledger) keep(one any) error {
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if _, err := l.file.Write(text); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func (l *ledger) remember(one kept) {
	if one.Event == "" {
		return
	}
	l.seen[[2]string{one.Source, one.ID}] = true
	if one.Latest {
		l.newest[[2]string{one.Source, one.Subject}] = number(one.Sequence)
	}
}

// number is a sequence, which has as many digits as it needs; the schema has checked that there are only digits.
func number(text string) *big.Int {
	value, _ := new(big.Int).SetString(text, 10)
	return value
}
