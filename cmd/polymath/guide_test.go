package main

import (
	"os"
	"path/filepath"
	"regexp"
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

// words are the arguments of the command, as a shell takes them apart.
func (s said) words() (words []string) {
	for i, part := range strings.Split(s.command, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

// alone tells whether a command needs nothing but itself.
func (s said) alone() bool {
	return slices.Contains([]string{"run", "verify", "functions"}, s.words()[0]) && !strings.Contains(s.command, "--server")
}

// TestGuide runs what the guide tells users to type, and compares. What needs a
// server gets one, a new one for each page.
func TestGuide(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(guide, "*.md"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d pages: %v", len(paths), err)
	}
	found := 0
	data := t.TempDir()
	pages := make([]string, len(paths))
	for i, path := range paths {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[i] = string(page)
	}
	t.Chdir(t.TempDir()) // some of them write files
	for i, page := range pages {
		t.Run(filepath.Base(paths[i]), func(t *testing.T) {
			r := reader{env: map[string]string{"POLYMATH_DATA": data}, ids: make(map[string]string)}
			for _, e := range examples(page) {
				found++
				if !e.alone() && r.url == "" {
					r.url = server(t)
				}
				r.try(t, e)
			}
		})
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// reader is somebody who types what a page says.
type reader struct {
	env map[string]string
	url string            // of the server of this page; "" for none yet
	ids map[string]string // of jobs: what the page calls them, and what they are
}

// What differs from one time to the next.
var (
	jobIDPattern = regexp.MustCompile(`j00[0-9a-z]{4,}`)
	agePattern   = regexp.MustCompile(`\b[0-9]+s\b`)
	spacePattern = regexp.MustCompile(` +`)
)

// same is a text without what differs from one time to the next.
func same(text string) string {
	text = jobIDPattern.ReplaceAllString(text, "JOB")
	return spacePattern.ReplaceAllString(agePattern.ReplaceAllString(text, "AGE"), " ")
}

// try runs a command and compares what it prints.
func (r *reader) try(t *testing.T, e said) {
	t.Helper()
	p := program{args: e.words(), env: r.env}
	if !e.alone() {
		for i, word := range p.args {
			p.args[i] = jobIDPattern.ReplaceAllStringFunc(word, func(id string) string { return r.ids[id] })
		}
		p.env = map[string]string{"POLYMATH_SERVER": r.url}
	}
	if code := p.run(t); code != 0 || same(p.stdout.String()) != same(e.output) {
		t.Errorf("polymath %s: exit code %d, prints\n%s%s\nwhere the guide says\n%s", e.command, code, &p.stdout, &p.stderr, e.output)
		return
	}
	printed := jobIDPattern.FindAllString(p.stdout.String(), -1)
	for i, id := range jobIDPattern.FindAllString(e.output, -1) {
		r.ids[id] = printed[i]
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
