package http1

import (
	"bytes"
	"strings"
	"testing"
)

// TestChunks: what of a text is a chunked body, what is in it, and what is wrong.
func TestChunks(t *testing.T) {
	for _, c := range []struct {
		name, text string
		content    string
		rest       string // behind the body
		why        Reason
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", "", Fine},
		{"none", "0\r\n\r\nGET", "", "GET", Fine},
		{"many zeros", "000\r\n\r\n", "", "", Fine},
		{"capital digits", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", "", Fine},
		{"small digits", "0a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "", Fine},
		{"extensions", "1;a=b;c=\"d\t\xff;\"\r\nx\r\n0;z\r\n\r\n", "x", "", Fine},
		{"trailer", "1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nrest", "x", "rest", Fine},
		{"lines as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", "", Fine},

		{"signed size", "+5\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"negative size", "-5\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"size with 0x", "0x5\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"no size", "\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"extension without a size", ";a\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"space before the size", " 5\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"space behind the size", "5 \r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"underscore in the size", "1_0\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"size of 15 digits", "000000000000005\r\nhello\r\n0\r\n\r\n", "hello", "", Fine},
		{"size of 16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", "", "", LongChunkSize},
		{"size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n", "", "", LongChunkSize},
		{"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"bare CR behind the size", "5\rhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"NUL in an extension", "5;\x00\r\nhello\r\n0\r\n\r\n", "", "", BadChunkSize},
		{"longest extension", "5;" + strings.Repeat("a", MaxChunkLine-1) + "\r\nhello\r\n0\r\n\r\n", "hello", "", Fine},
		{"too long an extension", "5;" + strings.Repeat("a", MaxChunkLine+1) + "\r\nhello\r\n0\r\n\r\n", "", "", LongChunkLine},
		{"longer than its size", "4\r\nhello\r\n0\r\n\r\n", "hell", "", BadChunkEnd},
		{"shorter than its size", "6\r\nhello\r\n0\r\n\r\n", "hello\r", "", BadChunkEnd},
		{"bare LF behind data", "5\r\nhello\n0\r\n\r\n", "hello", "", BadChunkEnd},
		{"bare CR behind data", "5\r\nhello\rx0\r\n\r\n", "hello", "", BadChunkEnd},
		{"bare LF behind the last size", "0\n\r\n", "", "", BadChunkSize},
		{"bare LF for the end", "0\r\n\n", "", "", BadTrailer},
		{"bare CR for the end", "0\r\n\rx", "", "", BadTrailer},
		{"trailer without a colon", "0\r\nX\r\n\r\n", "", "", BadTrailer},
		{"trailer without a name", "0\r\n: x\r\n\r\n", "", "", BadTrailer},
		{"trailer with a spaced name", "0\r\nX : y\r\n\r\n", "", "", BadTrailer},
		{"trailer folded", "0\r\nX: y\r\n z\r\n\r\n", "", "", BadTrailer},
		{"trailer with a bare LF", "0\r\nX: y\nZ: z\r\n\r\n", "", "", BadTrailer},
		{"trailer with a bare CR", "0\r\nX: y\rz\r\n\r\n", "", "", BadTrailer},
		{"trailer with a NUL", "0\r\nX: \x00\r\n\r\n", "", "", BadTrailer},
		{"length in the trailer", "0\r\nContent-Length: 5\r\n\r\n", "", "", BadTrailer},
		{"coding in the trailer", "0\r\ntransfer-encoding: chunked\r\n\r\n", "", "", BadTrailer},
		{"host in the trailer", "0\r\nHost: b\r\n\r\n", "", "", BadTrailer},
		{"long name in the trailer", "0\r\n" + strings.Repeat("Content-Length", 9) + ": 5\r\n\r\n", "", "", Fine},
		{"too large a trailer", "0\r\n" + strings.Repeat("X: y\r\n", MaxTrailer/6+1) + "\r\n", "", "", LargeTrailer},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, len(c.text)} {
				content, rest, why := readChunks([]byte(c.text), step)
				if content != c.content || why != c.why || why == Fine && rest != c.rest {
					t.Fatalf("in steps of %d: %q, then %q, %q; want %q, then %q, %q", step, content, rest, why, c.content, c.rest, c.why)
				}
			}
		})
	}
}

// readChunks reads a chunked body step bytes at a time, by Next and by Scan at
// once: content, what follows, and what is wrong. A body without an end is a
// broken test.
func readChunks(b []byte, step int) (content, rest string, why Reason) {
	var scan, next Chunks
	var out bytes.Buffer
	for at := 0; at < len(b); {
		piece := b[at:min(at+step, len(b))]
		used, verdict := scan.Scan(piece)
		n, v := 0, More
		for v == More && n < len(piece) {
			var data []byte
			var m int
			data, m, v = next.Next(piece[n:])
			out.Write(data)
			n += m
		}
		switch {
		case v != verdict || n != used || next.Content != scan.Content || next.Why != scan.Why || int(next.Content) != out.Len():
			panic("Next and Scan disagree")
		case v == Bad:
			return out.String(), "", next.Why
		case v == OK:
			return out.String(), string(b[at+n:]), Fine
		}
		at += n
	}
	return out.String(), "", reasons
}

// TestChunksEnd: nothing behind the end is read.
func TestChunksEnd(t *testing.T) {
	var c Chunks
	if n, v := c.Scan([]byte("0\r\n\r\n")); n != 5 || v != OK {
		t.Fatalf("%d bytes, verdict %d", n, v)
	}
	if n, v := c.Scan([]byte("0\r\n\r\n")); n != 0 || v != OK {
		t.Errorf("behind the end %d bytes were read, verdict %d", n, v)
	}
	c.Reset()
	if n, v := c.Scan(nil); n != 0 || v != More {
		t.Errorf("of nothing %d bytes were read, verdict %d", n, v)
	}
}
