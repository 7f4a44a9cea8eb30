package house

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

// foreignWords speak of how a text came about. The text of the product, its
// code and its documents speak of the product.
var foreignWords = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
	`AI[ -](agent|assistant|generated|written)s?`,
	`large language models?`, `language models?`, `LLMs?`,
	`coding (agent|assistant)s?`, `assistants?`,
	`sub-?agents?`, `helper agents?`,
	`Claude`, `ChatGPT`, `Copilot`, `Anthropic`, `OpenAI`,
}, "|") + `)\b`)

// exemptText are the places that may name these words: the decisions as they
// were handed down, lists of modules that a tool writes, and this list.
var exemptText = []string{
	"docs/design/*",
	"go.mod", "go.sum", "*/go.mod", "*/go.sum",
	"internal/house/text_test.go",
}

// foreignText finds such words, with the number of their line.
func foreignText(name string, text []byte) []string {
	for _, pattern := range exemptText {
		if ok, _ := path.Match(pattern, name); ok {
			return nil
		}
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil // not a text
	}
	var out []string
	line := 0
	for l := range bytes.Lines(text) {
		line++
		if word := foreignWords.Find(l); word != nil {
			out = append(out, fmt.Sprintf("%s:%d: %q", name, line, word))
		}
	}
	return out
}

func TestTextSpeaksOfTheProduct(t *testing.T) {
	for _, name := range paths(t) {
		for _, found := range foreignText(name, read(t, name)) {
			t.Errorf("%s: say what the product does instead", found)
		}
	}
}

func TestForeignTextIsFound(t *testing.T) {
	for _, text := range []string{
		"written by an AI agent", "Language models like it", "an LLM", "your assistant", "a sub-agent", "Claude", "via OpenAI",
	} {
		if len(foreignText("README.md", []byte(text))) != 1 {
			t.Errorf("%q passed", text)
		}
	}
	for _, text := range []string{
		"User-Agent: curl", "the OpenAPI document", "the agent of a node", "a language for models", "Claudel", "assist", "\x00Claude",
	} {
		if got := foreignText("README.md", []byte(text)); len(got) != 0 {
			t.Errorf("%q was refused: %q", text, got)
		}
	}
	if got := foreignText("docs/design/mission.md", []byte("an LLM")); len(got) != 0 {
		t.Errorf("the design documents are exempt, but %q was refused", got)
	}
}
