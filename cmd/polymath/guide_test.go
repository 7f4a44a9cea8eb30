package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/function/all"
)

// guide is where the pages for users lie, from here.
var guide = filepath.Join("..", "..", "docs", "guide")

// said is a command in a page and what the page says that it prints.
type said struct{ command, output string }

// examples finds the commands of a page: in its blocks of code, the lines that
// begin with "$ polymath", each with the lines that follow it.
func examples(page string) (all []said) {
	for i, block := range strings.Split(page, "```") {
		if i%2 == 0 {
			continue // what is between two blocks
		}
		var now *said
		for line := range strings.Lines(block) {
			if command, ok := strings.CutPrefix(line, "$ polymath "); ok {
				all = append(all, said{command: strings.TrimSpace(command)})
				now = &all[len(all)-1]
			} else if now != nil {
				now.output += line
			}
		}
	}
	return all
}

// alone tells whether a command needs nothing but itself, and ends.
func (s said) alone() bool {
	name, _, _ := strings.Cut(s.command, " ")
	return slices.Contains([]string{"run", "verify", "functions"}, name) && !strings.Contains(s.command, "--server")
}

// TestGuide runs what the guide tells users to type, where that needs no other
// process, and compares.
func TestGuide(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(guide, "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	found := 0
	data := t.TempDir()
	for i, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[i] = string(page)
	}
	t.Chdir(t.TempDir()) // some of them write files
	for _, page := range pages {
		for _, e := range examples(page) {
			if !e.alone() {
				continue
			}
			found++
			p := program{args: strings.Fields(e.command), env: map[string]string{"POLYMATH_DATA": data}}
			if code := p.run(t); code != 0 || p.stdout.String() != e.output {
				t.Errorf("polymath %s: exit code %d, prints\n%s%s\nwhere the guide says\n%s", e.command, code, &p.stdout, &p.stderr, e.output)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands were found", found)
	}
}

// TestGuideNamesEveryFunction keeps the list of functions whole.
func TestGuideNamesEveryFunction(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(guide, "functions.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all.Set(true).Names() {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("functions.md does not say what %s is", name)
		}
	}
}
