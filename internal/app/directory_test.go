package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

func TestDefaultDirectory(t *testing.T) {
	for _, c := range []struct {
		name, state, home string
		want              string // "" for an error
	}{
		{"state", "/s", "/h", "/s/polymath"},
		{"home", "", "/h", "/h/.local/state/polymath"},
		{"relative paths do not count", "s", "/h", "/h/.local/state/polymath"},
		{"neither", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{"XDG_STATE_HOME": c.state, "HOME": c.home}
			got, err := DefaultDirectory(func(name string) (string, bool) { v, ok := env[name]; return v, ok && v != "" })
			if got != c.want || (err == nil) != (c.want != "") || err != nil && polymath.CodeOf(err) != polymath.InvalidArgument {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestDirectoryIsPrivate looks at the modes of a new directory, and that two
// in one process exclude each other as well.
func TestDirectoryIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := openDirectory(path, Holder{PID: 4711, Version: "v1", Started: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "FORMAT": 0o600, "lock": 0o600, "server.json": 0o600} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %v, want %v", name, got, want)
		}
	}
	if _, err := openDirectory(path, Holder{}); polymath.CodeOf(err) != polymath.Damaged || !strings.Contains(err.Error(), "in use by process 4711") {
		t.Errorf("opened twice: %v", err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openDirectory(path, Holder{PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

// TestDirectorySurvivesAnInterruptedBeginning opens directories that a power
// loss left at each step of their making.
func TestDirectorySurvivesAnInterruptedBeginning(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"empty":            {},
		"locked":           {lockName: ""},
		"format not whole": {lockName: "", freshName: "polym"},
		"holder not whole": {lockName: "", formatName: "polymath data directory, format 2\n", newHolderName: `{"pi`},
		"killed":           {lockName: "", formatName: "polymath data directory, format 2\n", holderName: `{"pid":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(path, file), []byte(text), privateFile); err != nil {
					t.Fatal(err)
				}
			}
			d, err := openDirectory(path, Holder{PID: 1})
			if err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(d.file(formatName)); err != nil || string(text) != "polymath data directory, format 2\n" {
				t.Errorf("FORMAT says %q: %v", text, err)
			}
			if err := d.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDirectoryIsRefused opens what must not be touched, and shows that it
// was not.
func TestDirectoryIsRefused(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"foreign", "letter.txt", "Dear", "holds files (letter.txt) but no FORMAT"},
		{"a copy without FORMAT", journalName, "", "an incomplete copy of one"},
		{"newer", formatName, "polymath data directory, format 3\n", "has format 3 and this one knows up to 2"},
		{"older", formatName, "polymath data directory, format 1\n", "has format 1 and this one reads format 2"},
		{"empty FORMAT", formatName, "", "is damaged"},
		{"format 0", formatName, "polymath data directory, format 0\n", "is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			if err := os.WriteFile(filepath.Join(path, c.file), []byte(c.text), privateFile); err != nil {
				t.Fatal(err)
			}
			_, err := openDirectory(path, Holder{PID: 1})
			if polymath.CodeOf(err) != polymath.Damaged || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if text, err := os.ReadFile(filepath.Join(path, c.file)); err != nil || string(text) != c.text {
				t.Errorf("%s was changed to %q: %v", c.file, text, err)
			}
		})
	}
}
