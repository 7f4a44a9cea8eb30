package http1

import "slices"

// Chunks reads the framing of a chunked body, in pieces of any size. The zero
// Chunks is at the begin of one.
type Chunks struct {
	// Content is how many bytes of the body itself have come.
	Content int64

	// Why says what is wrong with what is Bad.
	Why Reason

	state  chunkState
	digits uint8
	field  uint8    // bytes of name that are used; over its length: none of those
	line   int32    // bytes of the line, or of the trailer
	left   int64    // of the size, and then of the data
	name   [24]byte // of the trailer's field, as far as it fits
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterSize // its CR
	inData
	afterData   // all of it
	afterDataCR // and its CR
	atField     // of the trailer
	inName
	inValue
	afterField // its CR
	afterAll   // the CR of the empty line
	finished
)

// Reset is for the next body.
func (c *Chunks) Reset() { *c = Chunks{} }

// Scan reads on and says how many bytes of b belong to the body's framing: all
// of them, or those up to its end. They may go on as they are: extensions and
// trailers are checked, and mean the same to every reader.
func (c *Chunks) Scan(b []byte) (n int, v Verdict) {
	for {
		_, m, v := c.Next(b[n:])
		if n += m; v != More || n == len(b) {
			return n, v
		}
	}
}

// Next reads on up to the end of the next piece of data, and says where in b
// it lies and how many bytes were read. Call it again with what is left, until
// nothing is or the verdict is not More.
func (c *Chunks) Next(b []byte) (data []byte, n int, v Verdict) {
	for n < len(b) {
		if c.state == inData {
			m := int(min(int64(len(b)-n), c.left))
			if c.left -= int64(m); c.left == 0 {
				c.state = afterData
			}
			c.Content += int64(m)
			return b[n : n+m], n + m, More
		}
		if c.state == finished {
			return nil, n, OK
		}
		if why := c.step(b[n]); why != Fine {
			c.Why = why
			return nil, n, Bad
		}
		n++
	}
	if c.state == finished {
		return nil, n, OK
	}
	return nil, n, More
}

// step reads one byte that is no data.
func (c *Chunks) step(b byte) Reason {
	switch c.state {
	case inSize:
		return c.size(b)
	case inExtension:
		if c.line++; c.line > MaxChunkLine {
			return LongChunkLine
		}
		if b == '\r' {
			c.state = afterSize
		} else if b < ' ' && b != '\t' || b == 0x7f {
			return BadChunkSize
		}
	case afterSize:
		if b != '\n' {
			return BadChunkSize
		}
		c.line, c.digits, c.state = 0, 0, inData
		if c.left == 0 {
			c.state = atField
		}
	case afterData:
		c.state = afterDataCR
		if b != '\r' {
			return BadChunkEnd
		}
	case afterDataCR:
		c.state = inSize
		if b != '\n' {
			return BadChunkEnd
		}
	default:
		return c.trailer(b)
	}
	return Fine
}

// size reads a byte of a chunk's size, or the first behind it.
func (c *Chunks) size(b byte) Reason {
	var d byte
	switch {
	case '0' <= b && b <= '9':
		d = b - '0'
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		d = b | 0x20 - 'a' + 10
	case b == '\r' && c.digits > 0:
		c.state = afterSize
		return Fine
	case b == ';' && c.digits > 0:
		c.state = inExtension
		return Fine
	default:
		return BadChunkSize
	}
	c.left = c.left<<4 | int64(d)
	if c.digits++; c.digits > maxSizeDigits {
		return LongChunkSize
	}
	return Fine
}

// trailer reads a byte behind the last chunk.
func (c *Chunks) trailer(b byte) Reason {
	if c.line++; c.line > MaxTrailer {
		return LargeTrailer
	}
	switch {
	case c.state == atField && b == '\r':
		c.state = afterAll
	case (c.state == atField || c.state == inName) && tokens[b]:
		if c.state == atField {
			c.state, c.field = inName, 0
		}
		if int(c.field) < len(c.name) {
			c.name[c.field] = b
			c.field++
		}
	case c.state == inName && b == ':' && !misplaced(c.name[:c.field]):
		c.state = inValue
	case c.state == inValue && b == '\r':
		c.state = afterField
	case c.state == inValue && (b >= ' ' && b != 0x7f || b == '\t'):
	case c.state == afterField && b == '\n':
		c.state = atField
	case c.state == afterAll && b == '\n':
		c.state = finished
	default:
		return BadTrailer
	}
	return Fine
}

// misplaced reports whether a field frames or routes the message, and so comes
// too late behind its body (RFC 9110, 6.5.1).
func misplaced(name []byte) bool {
	k := requestKind(name)
	return slices.Contains([]kind{host, contentLength, transferEncoding, connection, upgrade, te, expect}, k)
}
