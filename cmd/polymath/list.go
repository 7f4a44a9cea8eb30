package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/polymath-run/polymath/api"
)

// maxCell bounds the text in a cell of a table, in runes.
const maxCell = 60

// grid is a table for people: a heading and rows of as many cells.
type grid struct {
	settings *settings
	heading  string // the titles, separated by tabs
	rows     []string
	headed   bool // the heading was printed
}

// row adds a row.
func (g *grid) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = clip(fmt.Sprint(cell))
	}
	g.rows = append(g.rows, strings.Join(texts, "\t"))
}

// flush prints the rows, below the heading the first time. Without any row
// nothing is printed.
func (g *grid) flush() error {
	if len(g.rows) == 0 {
		return nil
	}
	if !g.headed {
		g.headed = true
		g.rows = append([]string{g.heading}, g.rows...)
	}
	t := tabwriter.NewWriter(g.settings.stdout, 0, 0, 2, ' ', 0)
	for _, row := range g.rows {
		if _, err := fmt.Fprintln(t, row); err != nil {
			return err
		}
	}
	g.rows = g.rows[:0]
	return t.Flush()
}

// none tells somebody at a terminal that nothing was printed, as there is
// nothing.
func (g *grid) none(what string) {
	if !g.headed && g.settings.output != outputJSON {
		g.settings.hint("no %s", what)
	}
}

// clip makes a text fit into a cell.
func clip(text string) string {
	text = printable(text)
	if runes := []rune(text); len(runes) > maxCell {
		return string(runes[:maxCell-3]) + "..."
	}
	return text
}

// hint says something to somebody who looks at a terminal.
func (s *settings) hint(format string, args ...any) {
	if s.width() > 0 {
		_, _ = fmt.Fprintf(s.stderr, format+"\n", args...)
	}
}

// age is how long ago something was, in the largest unit that says enough.
func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	switch d := max(now.Sub(*t), 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// listBar is the width of a bar in a table, brackets included.
const listBar = 12

// progress is how far a job is, as a bar and in percent.
func progress(j *api.Job) string {
	part := 0.0
	switch {
	case j.Units > 0:
		part = min(float64(j.Done+j.Dead+j.Working)/float64(j.Units), 1)
	case j.State == "succeeded":
		part = 1
	}
	return fmt.Sprintf("%s %5.1f %%", bar(part, listBar), 100*part)
}
