package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// writeText prints an answer for people and for scripts that read lines: a
// value on one line, the elements of a list one a line, the fields of an
// object one a line behind their names.
func writeText(w io.Writer, answer json.RawMessage) error {
	switch answer[0] {
	case '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(answer, &elements); err != nil {
			return err
		}
		buffer := new(bytes.Buffer)
		for _, e := range elements {
			buffer.WriteString(plain(e) + "\n")
		}
		_, err := buffer.WriteTo(w)
		return err
	case '{':
		return writeFields(w, answer)
	default:
		_, err := fmt.Fprintln(w, plain(answer))
		return err
	}
}

// writeFields prints the fields of an object in their order.
func writeFields(w io.Writer, object json.RawMessage) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(table, "%v\t%s\n", name, plain(value)); err != nil {
			return err
		}
	}
	return table.Flush()
}

// plain is a JSON value as text: a string without its quotes.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && value[0] == '"' {
		return text
	}
	return string(value)
}
