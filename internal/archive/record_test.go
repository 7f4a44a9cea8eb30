package archive

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

var update = flag.Bool("update", false, "write testdata/record.golden anew: only for a new format version")

// sample is a record of every table in which no field is zero.
func sample() []struct {
	name   string
	bucket bucket
	key    []byte
	code   func(*coder)
} {
	id := polymath.JobID{Shard: 7, Ref: polymath.Ref{Index: polymath.Index{Epoch: 2, Position: 300}, Ordinal: 4}}
	job := jobRecord{clock: 1_700_000_000_000, job: polymath.Job{
		ID:     polymath.JobID{Ref: id.Ref},
		Tenant: "tenant", Function: "primes", Input: []byte(`{"to":100}`), Reducer: polymath.Sum, State: polymath.Failed, Units: 101, Done: 100, Leased: 2, Dead: 1,
		Options: polymath.Options{
			Queue: "night", Priority: -3, Attempts: 4, SkipDead: true, NotBefore: 5, Deadline: 6, Key: [16]byte{1, 2}, Body: [16]byte{3},
		},
		Result: []byte("1060"), Code: polymath.JobFailed, Error: "unit 7", Submitted: 10, Started: 11, Finished: -12,
	}}
	twin, other := job, jobRecord{clock: 1, job: polymath.Job{Function: "sum"}}
	twin.job.ID.Ref.Ordinal, other.job.ID.Ref, other.job.ID.Ref.Ordinal = 5, id.Ref, 31
	twin.job.Input, twin.job.Options.Key, twin.job.Options.Body = []byte("{}"), [16]byte{}, [16]byte{}
	run := jobRun{id.Ref, []*jobRecord{&job, &twin, &other}}
	letter := letterOf(id, 9)
	ended := endedRecord{clock: 8, jobs: []polymath.Ref{id.Ref, twin.job.ID.Ref, other.job.ID.Ref, {Index: polymath.Index{Epoch: 1, Position: 1}}}}
	events := eventRecord{clock: 8, at: 9, events: []ledger.Event{
		{Kind: ledger.JobFailed, Job: id, Name: "primes"},
		{Kind: ledger.JobFailed, Job: polymath.JobID{Shard: 7, Ref: twin.job.ID.Ref}, Name: "primes"},
		{Kind: ledger.JobFailed, Job: polymath.JobID{Shard: 7, Ref: other.job.ID.Ref}, Name: "sum"},
		{Kind: ledger.WorkerLeft, Name: "w"},
	}}
	s := state{
		shard: 7, applied: polymath.Index{Epoch: 2, Position: 301}, clocks: clocks{5, 6}, jobs: 1, letters: 2, events: 3,
		ended: polymath.Index{Epoch: 1, Position: 4}, gone: event.ID{Shard: 7, Index: polymath.Index{Epoch: 1, Position: 5}, N: 6},
		newest: event.ID{Shard: 7, Index: polymath.Index{Epoch: 2, Position: 300}, N: 1},
	}
	return []struct {
		name   string
		bucket bucket
		key    []byte
		code   func(*coder)
	}{
		{"jobs", jobBucket, appendRef(nil, id.Ref), run.code},
		{"dead letter", letterBucket, appendLetter(nil, id.Ref, 9), func(c *coder) { codeLetter(c, &letter) }},
		{"ended", endedBucket, appendIndex(nil, id.Ref.Index), ended.code},
		{"events", eventBucket, appendIndex(nil, id.Ref.Index), events.code},
		{"state", stateBucket, stateKey(), s.code},
	}
}

// TestGolden holds the format on disk: once a release has written it, it is
// read for ever.
func TestGolden(t *testing.T) {
	var got bytes.Buffer
	b := newBatch(polymath.Index{}, clocks{}, event.ID{})
	for _, s := range sample() {
		r := b.seal(s.bucket, s.key, s.code)
		got.WriteString(s.name + ": " + hex.EncodeToString(r.key) + " -> " + hex.EncodeToString(r.value) + "\n")
	}
	path := filepath.Join("testdata", "record.golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the format has changed:\n%swant\n%s", &got, want)
	}
}

func TestJobRecordIsWhole(t *testing.T) {
	b := newBatch(polymath.Index{}, clocks{}, event.ID{})
	s := sample()[0]
	r := b.seal(s.bucket, s.key, s.code)
	run, err := readRun(r.key, r.value)
	if err != nil || len(run.jobs) != 3 {
		t.Fatal(len(run.jobs), err)
	}
	got := run.jobs[0]
	v := reflect.ValueOf(got.job)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "ID" {
			t.Errorf("field %s did not come back", name)
		}
	}
	options := reflect.ValueOf(got.job.Options)
	for i := range options.NumField() {
		if options.Field(i).IsZero() {
			t.Errorf("option %s did not come back", options.Type().Field(i).Name)
		}
	}
}

// FuzzRecord reads any bytes as the fields of each record, checksum aside: it
// is refused, or written again as it was.
func FuzzRecord(f *testing.F) {
	b := newBatch(polymath.Index{}, clocks{}, event.ID{})
	for i, s := range sample() {
		f.Add(uint8(i), b.seal(s.bucket, s.key, s.code).value[recordHead:])
	}
	f.Fuzz(func(t *testing.T, which uint8, fields []byte) {
		var (
			run    jobRun
			letter polymath.DeadLetter
			ended  endedRecord
			events eventRecord
			s      state
		)
		codes := []func(*coder){run.code, func(c *coder) { codeLetter(c, &letter) }, ended.code, events.code, s.code}
		code := codes[int(which)%len(codes)]
		c := coder{b: fields, reading: true}
		if code(&c); c.done() != nil {
			return
		}
		again := coder{}
		if code(&again); !bytes.Equal(again.b, fields) {
			t.Fatalf("read\n%x\nwritten again\n%x", fields, again.b)
		}
	})
}

// FuzzCheck patches a file at a place: it is refused, or it can be read.
func FuzzCheck(f *testing.F) {
	whole, err := os.ReadFile(filled(f, 2, 10, narrow()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(8192), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, offset uint16, patch []byte) {
		file := bytes.Clone(whole)
		if int(offset) < len(file) {
			copy(file[offset:], patch)
		}
		path := filepath.Join(t.TempDir(), "archive.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := check(path); err == nil {
			snapshot(t, path)
		}
	})
}
