package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"

	"github.com/polymath-run/polymath"
)

// The layout of a bbolt file, version 2, in bytes. Numbers are in the byte
// order of the machine that wrote it.
const (
	pageHead    = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16 // of a branch: pos 4, ksize 4, page 8; of a leaf: flags 4, pos 4, ksize 4, vsize 4
	tableSize   = 16 // root page 8, sequence 8; without a root page the leaf follows
	metaSize    = 64 // magic 4, version 4, page size 4, flags 4, root 8, sequence 8, free list 8, pages 8, transaction 8, checksum 8

	metaMagic   = 0xED0CDAED
	metaVersion = 2

	flagBranch = 0x01
	flagLeaf   = 0x02
	flagFree   = 0x10

	minPageSize, maxPageSize = 1 << 10, 1 << 16
	// maxDepth is how deep pages may lie, tables begin at tableDepth: a tree of
	// two elements a page would need 2^24 pages to get there.
	tableDepth = 8
	maxDepth   = 32
)

// meta is what one of the two meta pages says.
type meta struct {
	pageSize    int
	root        uint64
	free        uint64
	pages       uint64 // pages that were ever used, from 0
	transaction uint64
}

// checker reads a bbolt file and what the archive keeps in it.
type checker struct {
	file    *os.File
	meta    meta
	used    []bool // by page
	buffers [maxDepth][]byte

	found               map[bucket]uint64 // records by table
	jobs, ended, events uint64
	group               polymath.Ref // of the last job's record
	members             uint32       // which jobs of the group were there, a bit each
	state               state
}

// number reads a page number.
func number(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }

// readMeta finds the meta page of the last transaction. One of the two may be
// torn: then the transaction that wrote it had not ended.
func (c *checker) readMeta() error {
	for size := minPageSize; size <= maxPageSize; size *= 2 {
		for place := range 2 {
			m, ok := c.tryMeta(int64(place*size), size)
			if ok && m.transaction >= c.meta.transaction {
				c.meta = m
			}
		}
	}
	info, err := c.file.Stat()
	switch m := c.meta; {
	case err != nil:
		return err
	case m.pageSize == 0:
		return errors.New("neither meta page is whole")
	case m.pages < 4 || uint64(info.Size())/uint64(m.pageSize) < m.pages:
		return fmt.Errorf("the file has %d bytes and should have at least %d", info.Size(), m.pages*uint64(m.pageSize))
	}
	return nil
}

func (c *checker) tryMeta(offset int64, pageSize int) (m meta, ok bool) {
	var b [pageHead + metaSize]byte
	if _, err := c.file.ReadAt(b[:], offset); err != nil {
		return m, false
	}
	body := b[pageHead:]
	sum := fnv.New64a()
	sum.Write(body[:metaSize-8])
	m = meta{
		pageSize:    int(binary.NativeEndian.Uint32(body[8:])),
		root:        number(body[16:]),
		free:        number(body[32:]),
		pages:       number(body[40:]),
		transaction: number(body[48:]),
	}
	return m, binary.NativeEndian.Uint32(body) == metaMagic && binary.NativeEndian.Uint32(body[4:]) == metaVersion &&
		sum.Sum64() == number(body[56:]) && m.pageSize == pageSize
}

// page is one page with those that it runs over into.
type page struct {
	flags uint16
	count int
	data  []byte // with its head
}

// readPage reads a page into the buffer of a depth, and marks it as used.
func (c *checker) readPage(id uint64, depth int) (page, error) {
	first, err := c.readRun(id, 1, depth)
	if err != nil {
		return page{}, err
	}
	run := uint64(binary.NativeEndian.Uint32(first[12:])) + 1
	if number(first) != id {
		return page{}, fmt.Errorf("it says that it is page %d", number(first))
	}
	if run > 1 {
		if first, err = c.readRun(id, run, depth); err != nil {
			return page{}, err
		}
	}
	for i := id; i < id+run; i++ {
		if c.used[i] {
			return page{}, fmt.Errorf("page %d is used twice", i)
		}
		c.used[i] = true
	}
	return asPage(first), nil
}

// asPage reads the head of a page; of less than a head it makes an empty page.
func asPage(b []byte) page {
	if len(b) < pageHead {
		return page{}
	}
	return page{
		flags: binary.NativeEndian.Uint16(b[8:]),
		count: int(binary.NativeEndian.Uint16(b[10:])),
		data:  b,
	}
}

func (c *checker) readRun(id, pages uint64, depth int) ([]byte, error) {
	if id < 2 || id >= c.meta.pages || pages > c.meta.pages-id {
		return nil, fmt.Errorf("%d pages from %d are not within the file's %d", pages, id, c.meta.pages)
	}
	n := int(pages) * c.meta.pageSize
	c.buffers[depth] = slices.Grow(c.buffers[depth][:0], n)[:n]
	_, err := c.file.ReadAt(c.buffers[depth], int64(id)*int64(c.meta.pageSize))
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is too short")
	}
	return c.buffers[depth], err
}

// element is a key of a leaf with what belongs to it.
type element struct {
	key, value []byte
	isTable    bool
}

// walk is a tree and what to do with its elements.
type walk struct {
	page    uint64
	element func(element) error
}

// span is where keys of a page may lie: from low up to, not including, high;
// nil is open.
type span struct{ low, high []byte }

func (s span) contains(key []byte) bool {
	return (s.low == nil || bytes.Compare(key, s.low) >= 0) && (s.high == nil || bytes.Compare(key, s.high) < 0)
}

// walk checks a page and everything below it.
func (c *checker) walk(w walk, within span, depth int) error {
	if depth == maxDepth {
		return fmt.Errorf("page %d: the tree is deeper than %d pages", w.page, maxDepth)
	}
	p, err := c.readPage(w.page, depth)
	switch {
	case err != nil:
		return fmt.Errorf("page %d: %w", w.page, err)
	case p.flags == flagBranch:
		return c.branch(p, w, within, depth)
	default:
		return c.leaf(p, w, within)
	}
}

func (c *checker) branch(p page, w walk, within span, depth int) error {
	if p.count == 0 {
		return fmt.Errorf("page %d: a branch without elements", w.page)
	}
	key := func(i int) ([]byte, error) {
		head := pageHead + i*elementSize
		return p.slice(head, head+int(p.u32(head)), int(p.u32(head+4)))
	}
	low, err := key(0)
	if err != nil {
		return err
	}
	for i := range p.count {
		part := span{low: low, high: within.high}
		if i == 0 {
			part.low = within.low // a search for less than the first key ends there, too
		}
		if i+1 < p.count {
			if part.high, err = key(i + 1); err != nil {
				return err
			}
			if bytes.Compare(low, part.high) >= 0 || !within.contains(part.high) {
				return fmt.Errorf("page %d: key %d is out of order", w.page, i+1)
			}
			low = part.high
		}
		child := walk{page: number(p.data[pageHead+i*elementSize+8:]), element: w.element}
		if err := c.walk(child, part, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(p page, w walk, within span) error {
	if p.flags != flagLeaf {
		return fmt.Errorf("page %d: it is of kind %#x, not a leaf", w.page, p.flags)
	}
	var before []byte
	for i := range p.count {
		head := pageHead + i*elementSize
		e := element{isTable: p.u32(head)&1 != 0}
		var err, err2 error
		start := head + int(p.u32(head+4))
		e.key, err = p.slice(head, start, int(p.u32(head+8)))
		e.value, err2 = p.slice(head, start+len(e.key), int(p.u32(head+12)))
		if err = errors.Join(err, err2); err == nil && (before != nil && bytes.Compare(before, e.key) >= 0 || !within.contains(e.key)) {
			err = fmt.Errorf("key %d is out of order", i)
		}
		if err == nil {
			err = w.element(e)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", w.page, err)
		}
		before = e.key
	}
	return nil
}

// u32 reads a number of a page; what lies beyond its end reads as the largest.
func (p page) u32(at int) uint32 {
	if at+4 > len(p.data) {
		return 1<<32 - 1
	}
	return binary.NativeEndian.Uint32(p.data[at:])
}

// slice returns the bytes of an element that begins at head.
func (p page) slice(head, from, length int) ([]byte, error) {
	if head+elementSize > len(p.data) || from > len(p.data) || length > len(p.data)-from {
		return nil, errors.New("an element points out of its page")
	}
	return p.data[from : from+length], nil
}

// readFree checks the list of free pages.
func (c *checker) readFree() error {
	p, err := c.readPage(c.meta.free, 0)
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	ids, n := p.data[pageHead:], uint64(p.count)
	if p.count == 0xFFFF { // more than fit in the count: it comes first
		n, ids = number(ids), ids[8:]
	}
	if p.flags != flagFree || n > uint64(len(ids)/8) {
		return fmt.Errorf("page %d is no list of free pages", c.meta.free)
	}
	for i := range n {
		id := number(ids[8*i:])
		if id >= c.meta.pages || c.used[id] {
			return fmt.Errorf("page %d is called free and is not", id)
		}
		c.used[id] = true
	}
	return nil
}
