package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write writes a file with a time of its own: looks tell files apart by it.
func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// look expects a text, or "" for none.
func look(t *testing.T, w *Watched, want string) {
	t.Helper()
	got, err := w.Look()
	if err != nil || string(got) != want {
		t.Errorf("saw %q, %v, want %q", got, err, want)
	}
}

func TestWatched(t *testing.T) {
	path, clock := filepath.Join(t.TempDir(), "f"), time.Unix(1_000_000, 0)
	next := func() time.Time { clock = clock.Add(time.Second); return clock }
	write(t, path, "one", next())
	w := Watch(path)
	if text, err := w.Read(); err != nil || string(text) != "one" {
		t.Fatalf("read %q, %v", text, err)
	}
	look(t, w, "")

	write(t, path, "tw", next()) // it is being written
	look(t, w, "")
	write(t, path, "two", next())
	look(t, w, "")
	look(t, w, "two")
	look(t, w, "")

	write(t, path, "two", next()) // touched
	for range 3 {
		look(t, w, "")
	}

	write(t, path+".new", "three", clock) // another file of the same time
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	look(t, w, "")
	look(t, w, "three")

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look(t, w, "")
	if _, err := w.Look(); err == nil {
		t.Error("a file that is gone was not told of")
	}
	look(t, w, "")
	write(t, path, "four", next())
	look(t, w, "")
	look(t, w, "four")

	write(t, path, strings.Repeat("x", MaxFileBytes+1), next())
	look(t, w, "")
	if _, err := w.Look(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file that is too large: %v", err)
	}
	look(t, w, "")
	write(t, path, "five", next())
	if text, err := w.Read(); err != nil || string(text) != "five" { // asked to, it reads at once
		t.Errorf("read %q, %v", text, err)
	}
	look(t, w, "")
}
