package main

import (
	"context"
	"errors"
	"math/big"
	"path/filepath"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/ledger"
)

// TestRunGoesThroughJournalAndLedger reads what an embedded run left in its
// journal, and finds there the submission, the leases and each partial count:
// their sum over disjoint intervals that cover the whole input is the answer,
// and a ledger that reads the same entries comes to it, too.
func TestRunGoesThroughJournalAndLedger(t *testing.T) {
	data := t.TempDir()
	p := program{args: []string{"run", "primes", "--to", "2e8", "--workers", "2", "--data", data}}
	if code := p.run(t); code != 0 || p.stdout.String() != "11078937\n" {
		t.Fatalf("exit code %d, printed %q: %s", code, &p.stdout, &p.stderr)
	}
	r := reading{t: t, ledger: ledger.New(0), leases: make(map[polymath.Token]polymath.Interval)}
	r.read(filepath.Join(data, "wal"))

	if len(r.submitted) != 1 || string(r.submitted[0].Spec.Input) != `{"from":0,"to":200000000,"what":"count"}` {
		t.Fatalf("submitted %v", r.submitted)
	}
	if len(r.finished) != 1 || string(r.finished[0].Result) != "11078937" {
		t.Fatalf("a ledger finished %v", r.finished)
	}
	if units := r.submitted[0].Spec.Plan.Units; r.units != units || len(r.counted) < 4 {
		t.Errorf("%d intervals of together %d units were counted, want some of together %d", len(r.counted), r.units, units)
	}
	if r.sum.String() != "11078937" {
		t.Errorf("the partial counts add up to %v", &r.sum)
	}
	for i, a := range r.counted {
		for _, b := range r.counted[:i] {
			if a.Overlaps(b) {
				t.Errorf("%v and %v were both counted", a, b)
			}
		}
	}
}

// reading is what a journal says of one run.
type reading struct {
	t         *testing.T
	ledger    *ledger.Ledger
	leases    map[polymath.Token]polymath.Interval
	submitted []*ledger.Submit
	finished  []polymath.Job
	counted   []polymath.Interval
	units     uint64
	sum       big.Int
}

// read reads a journal to its end.
func (r *reading) read(path string) {
	r.t.Helper()
	dir, err := disk.Dir(path)
	if err != nil {
		r.t.Fatal(err)
	}
	j, err := local.Open(local.Options{FS: dir})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	tail, err := j.Tail(r.t.Context())
	if err != nil || tail.IsZero() {
		r.t.Fatalf("the journal ends at %v: %v", tail, err)
	}
	ctx, stop := context.WithCancel(r.t.Context())
	err = j.Follow(ctx, polymath.Index{}, 0, func(records []journal.Record) error {
		for _, record := range records {
			r.entry(record)
			if record.Index == tail {
				stop()
			}
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
}

// entry reads one entry as it is, and then as a ledger does.
func (r *reading) entry(record journal.Record) {
	r.t.Helper()
	var e ledger.Entry
	if err := e.Decode(record.Entry); err != nil {
		r.t.Fatal(err)
	}
	var fx ledger.Effects
	if err := r.ledger.Apply(record.Index, record.Entry, &fx); err != nil {
		r.t.Fatal(err)
	}
	for i, cmd := range e.Commands {
		if fx.Skip != ledger.Applied || fx.Answers[i].Err != nil {
			continue
		}
		switch c := cmd.(type) {
		case *ledger.Submit:
			r.submitted = append(r.submitted, c)
		case *ledger.Complete:
			iv := r.leases[c.Token]
			r.counted = append(r.counted, iv)
			r.units += iv.Len()
			n, ok := new(big.Int).SetString(string(c.Output), 10)
			if !ok {
				r.t.Fatalf("the output %q of %v is no number", c.Output, iv)
			}
			r.sum.Add(&r.sum, n)
		}
	}
	for _, g := range fx.Grants {
		r.leases[g.Lease.Token] = g.Lease.Interval
	}
	r.finished = append(r.finished, fx.Finished...)
}
