package archive

import (
	"bytes"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
	bolt "go.etcd.io/bbolt"
)

// jobNamed is a job of the entry at a position.
func jobNamed(position uint64, ordinal uint32, input int) *jobRecord {
	ref := polymath.Ref{Index: indexAt(position), Ordinal: ordinal}
	return &jobRecord{1, polymath.Job{ID: polymath.JobID{Ref: ref}, Function: "f", Input: bytes.Repeat([]byte("i"), input)}}
}

// TestRunKeepsFieldsApart: whatever two jobs differ in, they do so when they are
// read.
func TestRunKeepsFieldsApart(t *testing.T) {
	first := *jobNamed(1, 0, 9)
	var others []jobRecord
	vary := func(of func(*jobRecord) reflect.Value) {
		for i := range of(&first).NumField() {
			other := first
			switch f := of(&other).Field(i); {
			case f.CanInt():
				f.SetInt(77)
			case f.CanUint():
				f.SetUint(77)
			case f.Kind() == reflect.Bool:
				f.SetBool(true)
			case f.Kind() == reflect.String:
				f.SetString("other")
			case f.Kind() == reflect.Slice:
				f.SetBytes([]byte("other"))
			case f.Kind() == reflect.Array:
				f.Index(3).SetUint(7)
			default:
				continue // what has fields of its own
			}
			others = append(others, other)
		}
	}
	vary(func(r *jobRecord) reflect.Value { return reflect.ValueOf(&r.job).Elem() })
	vary(func(r *jobRecord) reflect.Value { return reflect.ValueOf(&r.job.Options).Elem() })
	stamped := first
	stamped.clock = 2
	if others = append(others, stamped); len(others) < 24 {
		t.Fatalf("only %d fields were varied", len(others))
	}
	for i := range others {
		first, other, third := first, others[i], first
		other.job.ID.Ref.Ordinal, third.job.ID.Ref.Ordinal = 1, 31
		want := jobRun{first.job.ID.Ref, []*jobRecord{&first, &other, &third}}
		k, v := sealed(want)
		if got, err := readRun(k, v); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v, %v", other, got.jobs[1], err)
		}
	}
}

func sealed(r jobRun) (k, v []byte) {
	c := coder{b: begin(nil)}
	r.code(&c)
	k = appendRef(nil, r.first)
	jobBucket.seal(k, c.b)
	return k, c.b
}

// TestRunIsRefused: a run that no archive writes is none, right checksum or not.
func TestRunIsRefused(t *testing.T) {
	one := jobNamed(1, 30, 9)
	c := coder{}
	one.codeNature(&c)
	one.codeCourse(&c)
	common := len(c.b)
	one.codeOwn(&c)
	body, alike := string(c.b), "\x00"+string(c.b[common:])
	for name, fields := range map[string]string{
		"out of its group":     "\x02\x03" + body + alike,
		"the same again":       "\x01\x03" + body + "\x03" + body,
		"what is not known":    "\x00\x07" + body,
		"more jobs than bytes": "\x01\x03" + body,
		"more bytes than jobs": "\x00\x03" + body + "\x00",
	} {
		k, v := appendRef(nil, one.job.ID.Ref), append(begin(nil), fields...)
		jobBucket.seal(k, v)
		if _, err := readRun(k, v); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	k, v := appendRef(nil, one.job.ID.Ref), append(begin(nil), "\x01\x03"+body+alike...)
	jobBucket.seal(k, v)
	if r, err := readRun(k, v); err != nil || !reflect.DeepEqual(r.jobs, []*jobRecord{one, jobNamed(1, 31, 9)}) {
		t.Errorf("as it should be: %+v, %v", r, err)
	}
}

// TestRuns cuts jobs where a group or the room in a record ends.
func TestRuns(t *testing.T) {
	const large = runBytes / 3
	jobs := []*jobRecord{
		jobNamed(1, 0, 1), jobNamed(1, 31, 1),
		jobNamed(1, 32, 1),
		jobNamed(2, 32, large), jobNamed(2, 33, large),
		jobNamed(2, 34, large), jobNamed(2, 40, 1),
		jobNamed(2, 41, 2*runBytes),
		jobNamed(2, 42, 1),
	}
	var got []int
	for r := range runs(jobs) {
		if r.first != r.jobs[0].job.ID.Ref {
			t.Errorf("the run of %v is called %v", r.jobs[0].job.ID, r.first)
		}
		got = append(got, len(r.jobs))
	}
	if want := []int{2, 1, 2, 2, 1, 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("runs of %v jobs, want %v", got, want)
	}
}

// TestCommittedMeanwhile: a job that was waiting when a reader looked, and is in
// the file by the time it reads there, is shown once.
func TestCommittedMeanwhile(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), narrow())
	fx := &ledger.Effects{Index: indexAt(9)}
	for _, ordinal := range []uint32{3, 5, 40} {
		fx.Finished = append(fx.Finished, jobNamed(2, ordinal, 1).job)
	}
	if err := a.Put(fx.Index, fx); err != nil {
		t.Fatal(err)
	}
	mustFlush(t, a)
	waiting := []*jobRecord{jobNamed(2, 5, 1), jobNamed(2, 4, 1), jobNamed(3, 0, 1), jobNamed(1, 0, 1), jobNamed(2, 40, 1)}
	var got []polymath.Ref
	err := a.store.view(func(tx *bolt.Tx) error {
		for r, err := range downFrom(jobBucket.of(tx), waiting, nil) {
			if err != nil {
				return err
			}
			got = append(got, r.job.ID.Ref)
		}
		return nil
	})
	want := []polymath.Ref{{Index: indexAt(3)}, {Index: indexAt(2), Ordinal: 40}, {Index: indexAt(2), Ordinal: 5}, {Index: indexAt(2), Ordinal: 4}, {Index: indexAt(2), Ordinal: 3}, {Index: indexAt(1)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// TestGapEnds: whoever has seen the last event that was removed has missed none.
func TestGapEnds(t *testing.T) {
	o := narrow()
	o.MaxEvents = 2
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), o)
	fx := &ledger.Effects{Events: []ledger.Event{{Kind: ledger.WorkerJoined, Name: "a"}, {Kind: ledger.WorkerJoined, Name: "b"}}}
	for position := range uint64(2) {
		fx.Index = indexAt(position + 1)
		if err := a.Put(fx.Index, fx); err != nil {
			t.Fatal(err)
		}
	}
	mustFlush(t, a)
	all := AppendEvents(nil, testShard, &ledger.Effects{Index: indexAt(1), Events: fx.Events})
	for i, e := range all {
		if events, gap, err := a.Events(e.ID, 9); err != nil || len(events) != 2 || gap != (i == 0) {
			t.Errorf("after event %d of the two that are gone: %d events, gap %v, %v", i, len(events), gap, err)
		}
	}
}
