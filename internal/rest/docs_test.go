package rest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/function/all"
)

// TestDocumentedExamples runs every example of docs/api.md as it stands there,
// from top to bottom against one server, and compares the answers with those
// it shows: the fields shown must be there, and "..." stands for any text.
func TestDocumentedExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the examples need curl")
	}
	text, err := os.ReadFile("../../docs/api.md")
	must(t, err)
	r := newRig(t, t.TempDir())
	r.work(all.Set(true))
	known := map[string]string{}
	var last []byte
	examples := 0
	for _, block := range regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if block[1] == "json" {
			var want, got any
			must(t, json.Unmarshal([]byte(block[2]), &want))
			if err := json.Unmarshal(last, &got); err != nil || !shows(want, got) {
				t.Errorf("answered with %s, documented as %s", last, block[2])
			}
			continue
		}
		examples++
		cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.ReplaceAll(block[2], "http://127.0.0.1:8080", r.server.URL))
		for name, value := range known {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "no_proxy=*")
		if last, err = cmd.Output(); err != nil {
			t.Fatalf("%s: %v", block[2], err)
		}
		if lines := bytes.Split(bytes.TrimSpace(last), []byte("\n")); !strings.Contains(block[2], "/events") {
			last = lines[len(lines)-1]
		}
		remember(known, last)
	}
	if examples < 20 {
		t.Errorf("only %d examples were found", examples)
	}
}

// remember takes the ids that later examples speak of from an answer.
func remember(known map[string]string, answer []byte) {
	var v struct {
		ID     string
		Beat   float64 `json:"beat_seconds"`
		Leases []struct{ Token string }
	}
	if json.Unmarshal(answer, &v) != nil {
		return
	}
	switch {
	case v.Beat > 0:
		known["WORKER"] = v.ID
	case v.ID != "":
		known["JOB"] = v.ID
	}
	if len(v.Leases) > 0 {
		known["TOKEN"] = v.Leases[0].Token
	}
}

// shows reports whether got has all that want has.
func shows(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			if _, there := g[k]; !there || !shows(v, g[k]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(want) {
			return false
		}
		for i, v := range want {
			if !shows(v, g[i]) {
				return false
			}
		}
		return len(want) == len(g) || len(want) == 0
	case string:
		g, ok := got.(string)
		return ok && (want == "..." && g != "" || want == g)
	default:
		return want == got
	}
}
