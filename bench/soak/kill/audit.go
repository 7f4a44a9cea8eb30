package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/ledger"
)

// audit reads a data directory as an outsider: it takes from the ledger only
// which commands were accepted and which intervals the leases were of, and
// does the accounts itself.
type audit struct {
	ledger *ledger.Ledger
	leases map[polymath.Token]polymath.Lease
	jobs   map[polymath.JobID]*account

	entries, intervals, vain int
	units                    uint64

	lost, twice int
	complaints  []string
}

// account is what was counted of one job.
type account struct {
	units    uint64
	counted  []polymath.Interval
	sum      big.Int
	finished *polymath.Job
}

// readAudit reads the journal and the archive of a data directory that nobody
// uses.
func readAudit(ctx context.Context, data string) (*audit, error) {
	a := &audit{
		ledger: ledger.New(0),
		leases: make(map[polymath.Token]polymath.Lease),
		jobs:   make(map[polymath.JobID]*account),
	}
	if err := a.readJournal(ctx, filepath.Join(data, "wal")); err != nil {
		return nil, err
	}
	for id, job := range a.jobs {
		a.settle(id, job)
	}
	if err := a.readArchive(filepath.Join(data, "archive.db")); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *audit) readJournal(ctx context.Context, path string) (err error) {
	dir, err := disk.Dir(path)
	if err != nil {
		return err
	}
	j, err := local.Open(local.Options{FS: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	tail, err := j.Tail(ctx)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	err = j.Follow(reading, polymath.Index{}, 0, func(records []journal.Record) error {
		for _, r := range records {
			if err := a.entry(r); err != nil {
				return err
			}
			if r.Index == tail {
				stop()
			}
		}
		return nil
	})
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return nil
	}
	return err
}

// entry books one entry.
func (a *audit) entry(r journal.Record) error {
	a.entries++
	var e ledger.Entry
	if err := e.Decode(r.Entry); err != nil {
		return err
	}
	var fx ledger.Effects
	if err := a.ledger.Apply(r.Index, r.Entry, &fx); err != nil {
		return err
	}
	for i, cmd := range e.Commands {
		if fx.Skip != ledger.Applied || fx.Answers[i].Err != nil {
			continue
		}
		switch c := cmd.(type) {
		case *ledger.Submit:
			a.jobs[polymath.JobID{Ref: fx.Answers[i].Ref}] = &account{units: c.Spec.Plan.Units}
		case *ledger.Complete:
			if err := a.complete(c); err != nil {
				return err
			}
		}
	}
	for _, g := range fx.Grants {
		a.leases[g.Lease.Token] = g.Lease
	}
	for i := range fx.Finished {
		if job := a.jobs[fx.Finished[i].ID]; job != nil {
			job.finished = &fx.Finished[i]
		}
	}
	return nil
}

// complete books one accepted result.
func (a *audit) complete(c *ledger.Complete) error {
	lease, ok := a.leases[c.Token]
	job := a.jobs[lease.Job]
	n, number := new(big.Int).SetString(string(c.Output), 10)
	if !ok || job == nil || !number {
		return fmt.Errorf("a result %q was accepted for token %v, which was never granted", c.Output, c.Token)
	}
	delete(a.leases, c.Token)
	a.intervals++
	a.units += lease.Interval.Len()
	job.counted = append(job.counted, lease.Interval)
	job.sum.Add(&job.sum, n)
	return nil
}

// settle finds what is missing and what is there twice in one job.
func (a *audit) settle(id polymath.JobID, job *account) {
	a.vain = len(a.leases)
	slices.SortFunc(job.counted, func(x, y polymath.Interval) int {
		if x.From < y.From {
			return -1
		}
		return 1
	})
	var at uint64 // units below it are counted
	for _, iv := range job.counted {
		switch {
		case iv.From > at:
			a.complain(&a.lost, "job %v: units %v were never counted", id, polymath.Interval{From: at, To: iv.From})
		case iv.From < at:
			a.complain(&a.twice, "job %v: units %v were counted twice", id, polymath.Interval{From: iv.From, To: min(at, iv.To)})
		}
		at = max(at, iv.To)
	}
	if at < job.units {
		a.complain(&a.lost, "job %v: units %v were never counted", id, polymath.Interval{From: at, To: job.units})
	}
	switch {
	case job.finished == nil:
		a.complain(&a.lost, "job %v was acknowledged and is not finished", id)
	case string(job.finished.Result) != job.sum.String():
		a.complain(&a.lost, "job %v: the result is %s, and its parts add up to %v", id, job.finished.Result, &job.sum)
	}
}

// readArchive compares the archive with the journal.
func (a *audit) readArchive(path string) error {
	kept, err := archive.Open(path, archive.Options{})
	if err != nil {
		return err
	}
	for id, job := range a.jobs {
		if job.finished == nil {
			continue
		}
		if got, err := kept.Job(id); err != nil || string(got.Result) != string(job.finished.Result) {
			a.complain(&a.lost, "job %v is archived with the result %q: %v", id, got.Result, err)
		}
	}
	return kept.Close()
}

// expect compares with what the program printed.
func (a *audit) expect(runs []finishedRun, answer string) {
	if len(runs) != len(a.jobs) {
		a.complain(&a.lost, "%d runs came to their end, and the journal has %d jobs", len(runs), len(a.jobs))
	}
	for _, r := range runs {
		if got := fmt.Sprintf("%.0f", r.Result); r.State != "succeeded" || got != answer {
			a.complain(&a.lost, "job %s %s with %s, want %s", r.Job, r.State, got, answer)
		}
		id, err := polymath.ParseJobID(r.Job)
		if err != nil || a.jobs[id] == nil {
			a.complain(&a.lost, "job %s was printed and is not in the journal: %v", r.Job, err)
		}
	}
}

func (a *audit) complain(count *int, format string, args ...any) {
	*count++
	a.complaints = append(a.complaints, fmt.Sprintf(format, args...))
}
