package client

import (
	"bufio"
	"bytes"
	"io"
)

// maxMessageBytes bounds one line of a stream of events.
const maxMessageBytes = 1 << 20

// message is one server-sent event as the HTML standard has it; without a name
// it is a comment, a sign of life.
type message struct {
	name, id string
	data     []byte
}

// parse reads messages until the stream ends or take returns an error. A
// message that the end of the stream cuts off is none.
func parse(stream io.Reader, take func(message) error) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 4<<10), maxMessageBytes)
	var m message
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if err := take(m); err != nil {
				return err
			}
			m = message{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			m.name = string(value)
		case "id":
			m.id = string(value)
		case "data":
			if m.data != nil {
				m.data = append(m.data, '\n')
			}
			m.data = append(m.data, value...)
		default: // a comment, or a field of a newer server
		}
	}
	return lines.Err()
}
