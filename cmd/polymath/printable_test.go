package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/polymath-run/polymath/api"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"plain, büro 日本 🙂 \\n":  "plain, büro 日本 🙂 \\n",
		"red \x1b[31m":          `red \x1b[31m`,
		"two\nlines\tapart\r":   `two\nlines\tapart\r`,
		"\x7f\u009b2J":          `\x7f\u009b2J`,
		"\u202eturned":          `\u202eturned`,
		"caf\xe9 and \uFFFD it": "caf\\xe9 and \uFFFD it",
		"\x00\a\u2028separated": `\x00\a\u2028separated`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := printableLines("a\x1b\n\tb\n"); got != "a\\x1b\n\tb\n" {
		t.Errorf("%q", got)
	}
}

// TestForeignTextDoesNotSteer: nothing that a server, a worker or a job says
// reaches a terminal as it is, wherever it is printed.
func TestForeignTextDoesNotSteer(t *testing.T) {
	const evil = "\x1b]0;owned\a\u009b31m\u202e\r\nnext"
	var out, log bytes.Buffer
	s := &settings{surroundings: surroundings{stdout: &out, stderr: &log, terminal: true, width: func() int { return 80 }}, output: outputText}
	now := time.Now()
	job := api.Job{
		ID: "j00041a", Function: evil, Queue: evil, Tenant: evil, State: "failed", Why: evil, Input: json.RawMessage(`"` + "\u009b" + `"`),
		Error: &api.Problem{Detail: evil}, Result: json.RawMessage(`"\u001b[2J"`), Submitted: &now,
	}
	printed := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		text := out.String() + log.String()
		out.Reset()
		log.Reset()
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) || strings.Contains(text, "\nnext") {
			t.Errorf("%s: %q", what, text)
		}
	}
	printed("job", s.printFields(jobFields(&job, now)))
	printed("letter", (&deadSettings{remote: remote{settings: s}}).printLetter(&api.DeadLetter{Error: evil, Worker: evil, Function: evil, Queue: evil, Tenant: evil}))
	table := grid{settings: s, heading: "A"}
	table.row(evil, note(&api.Task{Error: evil}))
	printed("table", table.flush())
	watching := &watchSettings{remote: remote{settings: s}}
	printed("joined", watching.event(&api.Event{Type: evil, Data: api.EventData{Worker: evil}}))
	printed("queued", watching.event(&api.Event{Type: evil, Subject: evil, Data: api.EventData{Function: evil}}))
	printed("ended", watching.ended(t.Context(), &wall{screen: &screen{out: &log}}, &end{got: api.Job{ID: evil, Function: evil, State: "succeeded"}}))
	failed := resultOf(&job)
	log.WriteString(failed.failure().Error())
	printed("failure", nil)
	job.State = "succeeded"
	printed("answer", s.printResult(resultOf(&job)))
	job.Result = json.RawMessage(`["` + "\u009b" + `", "\u001b[2J"]`)
	printed("list", s.printResult(resultOf(&job)))
	job.Result = json.RawMessage(`{"a":"\u001b[2J","\u001b":"\u202e"}`)
	printed("object", s.printResult(resultOf(&job)))
}

// TestSilence: a worker that nobody can reach is not said to be silent.
func TestSilence(t *testing.T) {
	for want, w := range map[string]*api.Worker{"0.4s": {Silent: 0.42}, "rejoining": {Silent: 0.42, Rejoining: true}} {
		if got := silence(w); got != want {
			t.Errorf("%+v: %s", w, got)
		}
	}
}

// TestAnswersForPrograms: what does not go to a terminal is the answer to the
// byte.
func TestAnswersForPrograms(t *testing.T) {
	var out bytes.Buffer
	s := &settings{surroundings: surroundings{stdout: &out}, output: outputText}
	if err := s.printResult(result{State: "succeeded", Result: json.RawMessage(`"\u001b[2J"`)}); err != nil || out.String() != "\x1b[2J\n" {
		t.Errorf("%q, %v", &out, err)
	}
}
