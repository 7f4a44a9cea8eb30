package remote

import (
	"bytes"
	"encoding/json"
)

// plainDepth is how many lists and objects lie within each other at most in
// what is plain.
const plainDepth = 100

// validJSON is json.Valid, in a third of the time for what is plain.
func validJSON(data []byte) bool { return plain(data) || json.Valid(data) }

// plain reports whether data is a JSON value as most programs write one: with no
// white space around its tokens, no escapes and no number but whole ones. The
// input and the output of each job are looked at, so it takes one quick look.
func plain(data []byte) bool {
	rest, found := plainValue(data, plainDepth)
	return found && len(rest) == 0
}

// plainValue takes a value from the front of data.
func plainValue(data []byte, depth int) (rest []byte, found bool) {
	switch {
	case len(data) == 0 || depth == 0:
		return nil, false
	case data[0] == '"':
		return plainText(data[1:])
	case data[0] == '{':
		return plainList(data[1:], '}', depth-1)
	case data[0] == '[':
		return plainList(data[1:], ']', depth-1)
	case '1' <= data[0] && data[0] <= '9':
		return bytes.TrimLeft(data, "0123456789"), true
	}
	for _, word := range [...]string{"0", "true", "false", "null"} {
		if rest, found = bytes.CutPrefix(data, []byte(word)); found {
			break
		}
	}
	return rest, found
}

// plainText takes the rest of a string.
func plainText(data []byte) (rest []byte, found bool) {
	for i, c := range data {
		if c == '"' {
			return data[i+1:], true
		}
		if c < ' ' || c == '\\' {
			break
		}
	}
	return nil, false
}

// plainList takes the rest of a list, or of an object.
func plainList(data []byte, end byte, depth int) (rest []byte, found bool) {
	if len(data) > 0 && data[0] == end {
		return data[1:], true
	}
	for {
		if end == '}' {
			if len(data) == 0 || data[0] != '"' {
				return nil, false
			}
			if data, found = plainText(data[1:]); !found || len(data) == 0 || data[0] != ':' {
				return nil, false
			}
			data = data[1:]
		}
		if data, found = plainValue(data, depth); !found || len(data) == 0 {
			return nil, false
		}
		if data[0] != ',' {
			return data[1:], data[0] == end
		}
		data = data[1:]
	}
}
