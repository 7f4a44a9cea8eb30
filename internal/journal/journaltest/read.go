package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/polymath-run/polymath/internal/journal"
)

// errEnough ends a Follow that has got what it wanted.
var errEnough = errors.New("enough")

// Read returns copies of the entries after one, or from the beginning if that
// is the zero Record, up to the tail. It fails the test when they do not
// continue one another.
func Read(t testing.TB, j journal.Journal, after journal.Record) []journal.Record {
	t.Helper()
	tail, err := j.Tail(t.Context())
	if err != nil {
		t.Fatalf("tail: %v", err)
	}
	if tail.Compare(after.Index) <= 0 {
		return nil
	}
	var records []journal.Record
	err = j.Follow(t.Context(), after.Index, after.Sum, func(batch []journal.Record) error {
		records = Keep(records, batch)
		if records[len(records)-1].Index.Compare(tail) >= 0 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("follow after %v to %v: %v", after.Index, tail, err)
	}
	CheckChain(t, after, records)
	return records
}

// Keep appends copies of a batch, which is good only during yield.
func Keep(records, batch []journal.Record) []journal.Record {
	for _, r := range batch {
		r.Entry = bytes.Clone(r.Entry)
		records = append(records, r)
	}
	return records
}

// CheckChain fails the test unless records continue the one before them: later
// epochs come later, positions have no gap, and checksums are chained.
func CheckChain(t testing.TB, before journal.Record, records []journal.Record) {
	t.Helper()
	for _, r := range records {
		switch {
		case r.Index.Position != before.Index.Position+1 || r.Index.Epoch < before.Index.Epoch || r.Index.Epoch == 0:
			t.Fatalf("index %v does not follow %v", r.Index, before.Index)
		case r.Sum != before.Sum.Next(r.Entry):
			t.Fatalf("checksum %x at %v does not continue %x", r.Sum, r.Index, before.Sum)
		}
		before = r
	}
}

// Texts are the entries as strings.
func Texts(records []journal.Record) []string {
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = string(r.Entry)
	}
	return texts
}

// Append appends entries one after the other.
func Append(t testing.TB, j journal.Journal, entries ...string) {
	t.Helper()
	for _, e := range entries {
		if err := j.Append(t.Context(), []byte(e)); err != nil {
			t.Fatalf("append %.20q: %v", e, err)
		}
	}
}

func mustClose(t testing.TB, j journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// numbered are n texts, 100 bytes each.
func numbered(name string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s/%-*d", name, 99-len(name), i)
	}
	return texts
}
