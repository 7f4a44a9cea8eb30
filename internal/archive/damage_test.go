package archive

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
	bolt "go.etcd.io/bbolt"
)

// damageStep is the distance of the bytes that TestFlip harms: coprime to the
// sizes of everything in the file.
const damageStep = 23

// TestFlip harms the file of a closed archive byte by byte. Opening it is
// refused, or everything reads as it was: at the last commit, or, when it was
// the page that names the last commit, at the one before.
func TestFlip(t *testing.T) {
	path := filled(t, 2, 60, narrow())
	a := mustOpen(t, path, narrow())
	putAll(t, a, 2, 61, 70)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// The last entries may have come in one commit or in several.
	at := map[uint64]content{70: snapshot(t, path)}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	step, refused, unharmed, older := int64(damageStep), 0, 0, 0
	if testing.Short() {
		step *= 10
	}
	for offset := int64(0); offset < info.Size(); offset += step {
		flip(t, file, offset, 1<<(offset%8))
		found, err := check(path)
		switch damage := (*DamageError)(nil); {
		case errors.As(err, &damage):
			refused++
		case err != nil:
			t.Fatalf("offset %d: %v", offset, err)
		case found.applied.Position < 60:
			t.Fatalf("offset %d: fell back to index %v", offset, found.applied)
		default:
			position := found.applied.Position
			if _, known := at[position]; !known {
				at[position] = snapshot(t, filled(t, 2, position, narrow()))
			}
			if got := snapshot(t, path); !reflect.DeepEqual(got, at[position]) {
				t.Fatalf("offset %d: read as of index %d: %s", offset, position, difference(got, at[position]))
			}
			if position == 70 {
				unharmed++
			} else {
				older++
			}
		}
		flip(t, file, offset, 1<<(offset%8))
	}
	t.Logf("%d refused, %d unharmed, %d as of the last commit but one", refused, unharmed, older)
	if refused == 0 || unharmed == 0 {
		t.Error("the test harmed nothing, or everything")
	}
}

// snapshot reads all there is without opening the archive for writing.
func snapshot(t *testing.T, path string) content {
	t.Helper()
	a := &Archive{options: narrow(), filling: newBatch(polymath.Index{}, clocks{}, event.ID{}), changed: make(chan struct{})}
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	a.store.path, a.store.db = path, db
	c, err := contentOf(a, maxPage)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return c
}

func flip(t *testing.T, file *os.File, offset int64, mask byte) {
	t.Helper()
	var b [1]byte
	_, err := file.ReadAt(b[:], offset)
	b[0] ^= mask
	if _, err2 := file.WriteAt(b[:], offset); errors.Join(err, err2) != nil {
		t.Fatal(err, err2)
	}
}

// TestTruncated cuts the file, at the ends of pages and elsewhere.
func TestTruncated(t *testing.T) {
	whole, err := os.ReadFile(filled(t, 2, 60, narrow()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "archive.db")
	opened := 0
	for size := 0; size < len(whole); size += 512 {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path, narrow())
		if err == nil { // what is cut is room for pages to come
			opened++
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var damage *DamageError
		if opened > 0 || !errors.As(err, &damage) {
			t.Fatalf("cut to %d of %d bytes: %v", size, len(whole), err)
		}
		for _, want := range []string{path, "finished jobs", "safe in the journal", "move it away"} {
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("%q does not say %q", err, want)
			}
		}
	}
}

// TestDamageWhileOpen harms the file under an archive that has it open: calls
// return an error, and nothing takes the process down.
func TestDamageWhileOpen(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"cut":     func(path string) error { return os.Truncate(path, 2*pageBytes) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"garbage": overwrite,
	} {
		t.Run(name, func(t *testing.T) {
			o := narrow()
			o.MaxJobs, o.MaxEvents, o.KeepJobs, o.KeepEvents = 1<<40, 1<<40, 1<<50, 1<<50
			path := filled(t, 2, 2000, o)
			all, _ := model(2, 50, o)
			a := mustOpen(t, path, o)
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			var damage *DamageError
			for _, j := range all.Jobs {
				if _, err := a.Job(j.ID); !errors.As(err, &damage) {
					t.Errorf("job: %v", err)
				}
			}
			if _, err := contentOf(a, 100); !errors.As(err, &damage) {
				t.Errorf("pages: %v", err)
			}
			putAll(t, a, 2, 2001, 2010)
			if err := a.Flush(t.Context()); !errors.As(err, &damage) {
				t.Errorf("flush: %v", err)
			}
			if err := a.Put(indexAt(2011), effectsAt(2, 2011)); !errors.As(err, &damage) {
				t.Errorf("put: %v", err)
			}
			if err := a.Close(); !errors.As(err, &damage) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// overwrite puts noise over all pages but the first two.
func overwrite(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	start := 2 * pageBytes
	for i := range b[start:] {
		b[start+i] = byte(i*i>>3) | 1
	}
	_, err = file.WriteAt(b[start:], int64(start))
	return errors.Join(err, file.Close())
}

// TestFlippedWhileOpen harms records under an open archive: what is returned
// is right, or an error.
func TestFlippedWhileOpen(t *testing.T) {
	o := narrow()
	o.MaxJobs, o.KeepJobs = 1<<40, 1<<50
	path := filled(t, 2, 100, o)
	all, _ := model(2, 100, o)
	a := mustOpen(t, path, o)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	noticed := 0
	for i, j := range all.Jobs {
		if len(j.Result) < 8 {
			continue
		}
		at := strings.LastIndex(string(raw), string(j.Result)) + i%len(j.Result)
		flip(t, file, int64(at), 0x10)
		got, err := a.Job(j.ID)
		if err == nil && !reflect.DeepEqual(got, j) || err != nil && !errors.As(err, &damage) {
			t.Fatalf("job %v: %+v, %v", j.ID, got, err)
		}
		if err != nil {
			noticed++
		}
		flip(t, file, int64(at), 0x10)
	}
	if noticed < len(all.Jobs)/2 {
		t.Errorf("of %d records harmed %d were noticed", len(all.Jobs), noticed)
	}
}

func TestNewerRecord(t *testing.T) {
	path := filled(t, 2, 20, narrow())
	db, err := bolt.Open(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		record := append([]byte(nil), stateBucket.of(tx).Get(stateKey())...)
		record[0] = formatVersion + 1
		stateBucket.seal(stateKey(), record)
		return stateBucket.of(tx).Put(stateKey(), record)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, narrow())
	var newer *VersionError
	if !errors.As(err, &newer) || newer.Version != formatVersion+1 || newer.File != path {
		t.Fatalf("error %v", err)
	}
}

// TestJobTwice: a file with as many jobs as it should have, of which one is
// there twice and another not at all, is damaged.
func TestJobTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	a := mustOpen(t, path, narrow())
	for i, ordinals := range [][]uint32{{0, 2, 3}, {1}} {
		fx := &ledger.Effects{Index: indexAt(uint64(7 + i))}
		for _, ordinal := range ordinals {
			fx.Finished = append(fx.Finished, jobNamed(2, ordinal, 1).job)
		}
		if err := a.Put(fx.Index, fx); err != nil {
			t.Fatal(err)
		}
		mustFlush(t, a) // else they would be one record
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := check(path); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { // 2 is in both records now, 3 in none
		return errors.Join(
			putRuns(tx, []*jobRecord{jobNamed(2, 0, 1), jobNamed(2, 2, 1)}),
			putRuns(tx, []*jobRecord{jobNamed(2, 1, 1), jobNamed(2, 2, 1)}))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := check(path); !errors.As(err, &damage) || !strings.Contains(damage.Reason, "twice") {
		t.Errorf("check: %v", err)
	}
}

// TestOrdinaryFailure: what fails beside a panic of somebody else says nothing
// of locks.
func TestOrdinaryFailure(t *testing.T) {
	var s store
	s.panicked.Store(true)
	failure := errors.New("out of memory")
	fail := func(func(*bolt.Tx) error) error { return failure }
	if err := s.run(fail, nil); !errors.Is(err, failure) || s.stuck.Load() {
		t.Errorf("%v, stuck: %v", err, s.stuck.Load())
	}
	fail = func(func(*bolt.Tx) error) error { panic("no page") }
	if err := s.run(fail, nil); err == nil || !s.stuck.Load() {
		t.Errorf("%v, stuck: %v", err, s.stuck.Load())
	}
}
