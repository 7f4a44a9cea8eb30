package remote

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzPlain: what is plain is JSON, and json.Compact leaves it as it is.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":[1,0,true,false,null,"x y",{"b":{}}],"c":20}`, `"é"`, "\"\x1f\"", "\"\xff\"", ``, `01`, `-1`, `1.5`, `1e9`,
		`tru`, `nulll`, `[1,]`, `[,1]`, `{"a":1,}`, `{"a"}`, `{1:2}`, `{}{}`, `"`, `[`, `{"a":`, `{"a":1]`, `[1}`, ` 1`, `[1 ]`, `1:2`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if validJSON(data) != json.Valid(data) {
			t.Fatalf("%q: valid is %v", data, validJSON(data))
		}
		if !plain(data) {
			return
		}
		var b bytes.Buffer
		if err := json.Compact(&b, data); err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Fatalf("%q: json.Compact makes it %q, %v", data, b.Bytes(), err)
		}
	})
}

// TestPlain: what most programs write is plain, and what lies too deep is not.
func TestPlain(t *testing.T) {
	deep := strings.Repeat("[", plainDepth) + strings.Repeat("]", plainDepth)
	for text, want := range map[string]bool{
		`{"name":"two words","list":[1,0,20],"yes":true,"no":[false,null],"none":{}}`: true,
		`"an answer"`: true, `18446744073709551616`: true, deep: true,
		"[" + deep + "]": false, `{"a": 1}`: false, `"\n"`: false, `1.5`: false, `{"a":1`: false,
	} {
		if plain([]byte(text)) != want {
			t.Errorf("%s: plain is not %v", text, want)
		}
	}
}

// BenchmarkPlain looks at an input of 100 bytes.
func BenchmarkPlain(b *testing.B) {
	data := []byte(`{"t":"` + strings.Repeat("x", 92) + `"}`)
	for name, valid := range map[string]func([]byte) bool{"plain": plain, "json.Valid": json.Valid} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if !valid(data) {
					b.Fatal("invalid")
				}
			}
		})
	}
}
