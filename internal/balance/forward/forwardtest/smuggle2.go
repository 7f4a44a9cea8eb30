package forwardtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
)

// The parts of HTTP/2 that a client needs to say what no library would (RFC
// 9113, section 4; RFC 7541, section 6.2.2).
const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7

	flagEndStream  = 1
	flagEndHeaders = 4
	flagAck        = 1

	indexedStatus400 = 0x80 | 12 // ":status: 400" of the static table
)

func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// appendLiteral appends a field as a literal that is not indexed, without
// Huffman's code. Name and value have less than 127 bytes.
func appendLiteral(b []byte, f Field) []byte {
	b = append(b, 0, byte(len(f.Name)))
	b = append(b, f.Name...)
	b = append(b, byte(len(f.Value)))
	return append(b, f.Value...)
}

// smuggling2Corpus are fields of requests, and those they are made of.
func smuggling2Corpus() (base []Field, corpus map[string][]Field) {
	pseudo := func(method, path, authority string) []Field {
		return []Field{{":method", method}, {":path", path}, {":scheme", "https"}, {":authority", authority}, {"x-case", smuggled}}
	}
	base = pseudo("POST", "/s", "example.test")
	return base, map[string][]Field{
		"CL and TE":             append(base, Field{"content-length", "0"}, Field{"transfer-encoding", "chunked"}),
		"transfer-encoding":     append(base, Field{"transfer-encoding", "chunked"}),
		"connection":            append(base, Field{"connection", "close"}),
		"upgrade":               append(base, Field{"upgrade", "h2c"}),
		"keep-alive":            append(base, Field{"keep-alive", "1"}),
		"te":                    append(base, Field{"te", "gzip"}),
		"CRLF in a value":       append(base, Field{"x-bad", "a\r\nTransfer-Encoding: chunked"}),
		"LF in a value":         append(base, Field{"x-bad", "a\nb: c"}),
		"NUL in a value":        append(base, Field{"x-bad", "a\x00b"}),
		"CRLF in a name":        append(base, Field{"x-bad: a\r\nx", "b"}),
		"colon in a name":       append(base, Field{"x-bad:", "b"}),
		"space in a name":       append(base, Field{"content-length ", "5"}),
		"capitals in a name":    append(base, Field{"X-Bad", "b"}),
		"no name":               append(base, Field{"", "b"}),
		"two content-lengths":   append(base, Field{"content-length", "0"}, Field{"content-length", "5"}),
		"signed content-length": append(base, Field{"content-length", "+0"}),
		"two hosts":             append(base, Field{"host", "other.test"}),
		"pseudo behind":         append([]Field{{"x-case", smuggled}}, base...),
		"two paths":             append(slices.Clip(base), Field{":path", "/t"}),
		"CRLF in the path":      pseudo("GET", "/s HTTP/1.1\r\nHost: a\r\n\r\nGET /", "example.test"),
		"space in the path":     pseudo("GET", "/a b", "example.test"),
		"no slash":              pseudo("GET", "s", "example.test"),
		"empty path":            pseudo("GET", "", "example.test"),
		"star":                  pseudo("GET", "*", "example.test"),
		"fragment":              pseudo("GET", "/s#f", "example.test"),
		"NUL in the path":       pseudo("GET", "/s\x00", "example.test"),
		"CRLF in the method":    pseudo("GET / HTTP/1.1\r\nX: ", "/s", "example.test"),
		"space in the method":   pseudo("GE T", "/s", "example.test"),
		"no method":             pseudo("", "/s", "example.test"),
		"CRLF in the authority": pseudo("GET", "/s", "a\r\nX: y"),
		"slash in authority":    pseudo("GET", "/s", "a/b"),
		"user in the authority": pseudo("GET", "/s", "u@example.test"),
		"space in authority":    pseudo("GET", "/s", "a b"),
		"no authority":          {{":method", "GET"}, {":path", "/s"}, {":scheme", "https"}, {"x-case", smuggled}},
		"CONNECT":               {{":method", "CONNECT"}, {":authority", "example.test:80"}, {"x-case", smuggled}},
		"extended CONNECT":      append(pseudo("CONNECT", "/s", "example.test"), Field{":protocol", "websocket"}),
	}
}

// smuggling2 sends what HTTP/2 can carry and HTTP/1 must not be told: each ends
// its stream or its connection, or is answered 400, and no upstream sees it.
func (s *suite) smuggling2(t *testing.T) {
	base, corpus := smuggling2Corpus()
	for name, fields := range corpus {
		var block []byte
		for _, f := range fields {
			block = appendLiteral(block, f)
		}
		if err := s.stream(block, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The upstream may see these heads, and never a whole request.
	run := s.server.expect("lying", get("lying", asIs))
	defer s.server.forget("lying")
	for name, sizes := range map[string][2]int{"body longer than its length": {3, 5}, "body shorter than its length": {5, 3}} {
		var block []byte
		for _, f := range append(base[:4:4], Field{"x-case", "lying"}, Field{"content-length", strconv.Itoa(sizes[0])}) {
			block = appendLiteral(block, f)
		}
		if err := s.stream(block, make([]byte, sizes[1])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	select {
	case seen := <-run.seen:
		t.Errorf("the upstream got a whole request: %s", clip(seen.Body))
	default:
	}
	s.director.Settled(t)
	if n := s.server.smuggled.Load(); n != 0 {
		t.Errorf("the upstream got %d requests of the corpus", n)
	}
}

// stream opens a stream on a new connection, and reads how it ends: with a
// reset, the connection's end, or a refusal. Else it gives an error.
func (s *suite) stream(block, body []byte) error {
	c, err := Dial(s.address, s.clientConf("h2"))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	flags := byte(flagEndHeaders)
	if body == nil {
		flags |= flagEndStream
	}
	text := appendFrame([]byte(preface), frameSettings, 0, 0, nil)
	text = appendFrame(text, frameHeaders, flags, 1, block)
	if body != nil {
		text = appendFrame(text, frameData, flagEndStream, 1, body)
	}
	if _, err := c.Write(text); err != nil {
		return err
	}
	return readVerdict(c)
}

func readVerdict(c net.Conn) error {
	var head [9]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			if errors.Is(err, io.EOF) || isReset(err) {
				return nil
			}
			return fmt.Errorf("the stream does not end: %w", err)
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return fmt.Errorf("half a frame: %w", err)
		}
		switch head[3] {
		case frameReset, frameGoAway:
			return nil
		case frameHeaders:
			if len(payload) > 0 && payload[0] == indexedStatus400 || isStatus4xx(payload) {
				return nil
			}
			return fmt.Errorf("answered with fields %q", payload)
		case frameSettings:
			if head[4]&flagAck == 0 {
				if _, err := c.Write(appendFrame(nil, frameSettings, flagAck, 0, nil)); err != nil {
					return err
				}
			}
		}
	}
}

// isStatus4xx knows other refusals in the forms the standard library's encoder
// gives a :status: a literal whose name is one of the indexes 8 to 14, by
// Huffman's code or not.
func isStatus4xx(payload []byte) bool {
	if len(payload) < 3 || payload[0]&0xc0 != 0x40 || payload[0]&0x3f < 8 || payload[0]&0x3f > 14 {
		return false
	}
	if payload[1]&0x80 == 0 {
		return payload[2] == '4' || payload[2] == '5'
	}
	code := payload[2] >> 2 // '4' is 011010 and '5' is 011011 (RFC 7541, appendix B)
	return code == 0b011010 || code == 0b011011
}
