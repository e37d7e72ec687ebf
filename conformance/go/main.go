// Command conformance runs franz-go against the broker named by BOOTSTRAP.
//
// Each case prints one line: `ok NAME`, `FAIL NAME: reason` or `skip NAME: reason`. Cases run side by side, with topics
// and groups of their own; names on the command line choose some of them.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	caseLimit  = 60 * time.Second
	sideBySide = 8
)

type testCase struct {
	name string
	run  func(*world) error
}

var cases []testCase

// register adds a case; files register theirs in init.
func register(name string, run func(*world) error) {
	cases = append(cases, testCase{name, run})
}

// world is what a case works with: its deadline and clients that are closed after it.
type world struct {
	ctx     context.Context
	max     *kversion.Versions
	closers []func()
}

func bootstrap() string {
	if address := os.Getenv("BOOTSTRAP"); address != "" {
		return address
	}
	return "127.0.0.1:9092"
}

// client makes a client at default settings but for what the case asks for.
func (w *world) client(options ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{kgo.SeedBrokers(bootstrap())}
	if w.max != nil {
		all = append(all, kgo.MaxVersions(w.max))
	}
	made, err := kgo.NewClient(append(all, options...)...)
	if err == nil {
		w.closers = append(w.closers, made.CloseAllowingRebalance)
	}
	return made, err
}

func (w *world) admin() (*kadm.Client, error) {
	made, err := w.client()
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(made), nil
}

// topic creates a topic and waits until every partition has a leader.
func (w *world) topic(partitions int32, configs map[string]*string) (string, error) {
	admin, err := w.admin()
	if err != nil {
		return "", err
	}
	name := unique("go")
	if _, err := admin.CreateTopic(w.ctx, partitions, 1, configs, name); err != nil {
		return "", err
	}
	return name, w.usable(admin, name, int(partitions))
}

func (w *world) usable(admin *kadm.Client, name string, partitions int) error {
	return until(w, "the topic's partitions", func() (bool, error) {
		found, err := admin.ListTopics(w.ctx, name)
		if err != nil || found[name].Err != nil {
			return false, nil //nolint:nilerr // not there yet
		}
		leaders := 0
		for _, partition := range found[name].Partitions {
			if partition.Leader >= 0 {
				leaders++
			}
		}
		return leaders == partitions, nil
	})
}

// send produces the records and waits for all of them.
func (w *world) send(records []*kgo.Record, options ...kgo.Opt) error {
	producer, err := w.client(options...)
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.ProduceSync(w.ctx, records...).FirstErr()
}

// receive polls until it has count records.
func (w *world) receive(consumer *kgo.Client, count int) ([]*kgo.Record, error) {
	var got []*kgo.Record
	for len(got) < count {
		fetches := consumer.PollRecords(w.ctx, count-len(got))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", len(got), count, err)
		}
		got = append(got, fetches.Records()...)
	}
	return got, nil
}

// readAll reads a topic from its beginning, without a group.
func (w *world) readAll(topic string, count int, options ...kgo.Opt) ([]*kgo.Record, error) {
	beginning := kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())
	consumer, err := w.client(append(options, kgo.ConsumeTopics(topic), beginning)...)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	return w.receive(consumer, count)
}

func unique(prefix string) string {
	var bytes [6]byte
	_, _ = rand.Read(bytes[:]) // crypto/rand never fails
	return prefix + "-" + hex.EncodeToString(bytes[:])
}

// payload is bytes that no codec can shrink.
func payload(size int) []byte {
	bytes := make([]byte, size)
	_, _ = rand.Read(bytes)
	return bytes
}

func until(w *world, what string, check func() (bool, error)) error {
	for {
		ok, err := check()
		if err != nil || ok {
			return err
		}
		select {
		case <-w.ctx.Done():
			return fmt.Errorf("%s did not come true in time", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func equal[T comparable](what string, got, expected T) error {
	if got != expected {
		return fmt.Errorf("%s: got %v, expected %v", what, got, expected)
	}
	return nil
}

func equalBytes(what string, got, expected []byte) error {
	if !bytes.Equal(got, expected) || (got == nil) != (expected == nil) {
		return fmt.Errorf("%s: got %.40q (%d bytes), expected %.40q (%d bytes)", what, got, len(got), expected, len(expected))
	}
	return nil
}

// refused wants this very error.
func refused(err error, expected *kerr.Error) error {
	if !errors.Is(err, expected) {
		return fmt.Errorf("got %v, expected %v", err, expected)
	}
	return nil
}

// first answers the first error of several checks that have all been made.
func first(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

func text(value string) *string { return &value }

func run(test testCase) (line string, failed bool) {
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	w := &world{ctx: ctx}
	defer func() {
		for _, closer := range slices.Backward(w.closers) {
			closer()
		}
	}()
	if err := test.run(w); err != nil {
		return fmt.Sprintf("FAIL %s: %s", test.name, strings.Join(strings.Fields(err.Error()), " ")), true
	}
	return "ok " + test.name, false
}

func main() {
	chosen := os.Args[1:]
	var group sync.WaitGroup
	var lock sync.Mutex
	failures := 0
	slots := make(chan struct{}, sideBySide)
	for _, test := range cases {
		if len(chosen) > 0 && !slices.Contains(chosen, test.name) {
			continue
		}
		group.Add(1)
		go func() {
			defer group.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			line, failed := run(test)
			lock.Lock()
			defer lock.Unlock()
			fmt.Println(line)
			if failed {
				failures++
			}
		}()
	}
	group.Wait()
	if failures > 0 {
		os.Exit(1)
	}
}
