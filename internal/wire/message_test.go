package wire

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// fill sets all there is in a message, the lists to two of each.
func fill(m protoreflect.Message, seed int) {
	list := m.Descriptor().Fields()
	for i := range list.Len() {
		f := list.Get(i)
		switch {
		case f.IsList() && f.Message() != nil:
			for n := range 2 {
				fill(m.Mutable(f).List().AppendMutable().Message(), seed+n)
			}
		case f.IsList():
			for n := range 2 {
				m.Mutable(f).List().Append(scalar(f, seed+n))
			}
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), seed+i)
		default:
			m.Set(f, scalar(f, seed+i))
		}
	}
}

// scalar is a value of a field, no default one.
func scalar(f protoreflect.FieldDescriptor, seed int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 + seed%2))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(rune('a' + seed)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(seed), 0xff})
	case protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(-seed) - 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(-seed) - 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(seed)<<16 + 1)
	default:
		return protoreflect.ValueOfUint64(uint64(seed)<<40 + 1)
	}
}

// messages are the two kinds a stream carries, empty.
func empty() []proto.Message { return []proto.Message{&polymathv1.Calls{}, &polymathv1.Replies{}} }

// full are messages in which every field there is has a value.
func full() []proto.Message {
	all := empty()
	for _, m := range all {
		fill(m.ProtoReflect(), 3)
	}
	return all
}

// TestEveryField: one that is new in the .proto file and not here would be
// lost.
func TestEveryField(t *testing.T) {
	for _, want := range full() {
		from, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := want.ProtoReflect().New().Interface()
		if err := new(decoder).decode(from, got); err != nil || !proto.Equal(got, want) {
			t.Errorf("decode: %v\ninstead of %v, %v", got, want, err)
		}
		if out, err := encode(nil, want); err != nil || !bytes.Equal(out, from) {
			t.Errorf("encode: %x\ninstead of %x, %v", out, from, err)
		}
	}
}

// TestEncodeRefuses: what no reader would take is not written.
func TestEncodeRefuses(t *testing.T) {
	bad := "\xff"
	for _, m := range []proto.Message{
		&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Request: &polymathv1.Request{Tenant: bad}}}},
		&polymathv1.Calls{Joins: []*polymathv1.Join{{Name: bad}}},
		&polymathv1.Replies{Grants: []*polymathv1.Grant{{Function: bad}}},
		&polymathv1.Replies{Replies: []*polymathv1.Reply{{Picture: &polymathv1.Job{Queue: bad}}}},
		&polymathv1.Error{Message: bad},
	} {
		if out, err := encode(nil, m); err == nil {
			t.Errorf("%v was written as %x", m, out)
		}
	}
}

// TestDecodeKeepsApart: what is appended to one value leaves the next as it
// was, and the names of one message are not those of another.
func TestDecodeKeepsApart(t *testing.T) {
	from, err := proto.Marshal(&polymathv1.Calls{Reports: []*polymathv1.Report{{Token: []byte("t"), Output: []byte("output")}}})
	if err != nil {
		t.Fatal(err)
	}
	var d decoder
	var m polymathv1.Calls
	if err := d.decode(from, &m); err != nil {
		t.Fatal(err)
	}
	_ = append(m.Reports[0].Token, "xxxx"...)
	if got := string(m.Reports[0].GetOutput()); got != "output" {
		t.Errorf("the output is %q", got)
	}
	for _, name := range []string{"one", "two", "one", "\xff"} {
		f := fields{data: []byte(name)}
		if got := d.name(&f); got != name || (f.err != nil) != (name == "\xff") {
			t.Errorf("%q is %q, %v", name, got, f.err)
		}
	}
}

// FuzzMessage: what proto.Unmarshal reads is read, as the same, what it refuses
// is refused, and what is written is what proto.Marshal writes.
func FuzzMessage(f *testing.F) {
	for _, m := range full() {
		from, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(from)
	}
	f.Add([]byte("\x28\x05\x2a\x02\x06\x07"))                             // a list of numbers, packed and not
	f.Add([]byte("\x2a\x01\x80"))                                         // a packed number that is torn
	f.Add([]byte("\x0a\x0a\x12\x03\x0a\x01a\x12\x03\x1a\x01b"))           // a request in two parts
	f.Add([]byte("\x2a\x03\x0a\x01a\x2a\x03\x12\x01b"))                   // an end in two parts
	f.Add([]byte("\x0a\x0a\x2a\x03\x0a\x01a\x2a\x03\x12\x01b"))           // a picture in two parts
	f.Add([]byte("\x0a\x0a\x12\x03\x0a\x01a\x12\x03\x12\x01b"))           // an error in two parts
	f.Add([]byte("\x0a\x05\x12\x03\x0a\x01\xff"))                         // a text that is none
	f.Add([]byte("\x0a\x0b\x12\x09\x28\xff\xff\xff\xff\xff\xff\xff\x7f")) // a small number that is large
	f.Add([]byte("\x0b\x0c\x0d\x01\x02\x03\x04"))                         // groups and numbers of a fixed size
	f.Add([]byte("\x00\x00"))
	f.Add(protowire.AppendVarint(nil, (1<<29)<<3))
	f.Add(append(protowire.AppendVarint(nil, (1<<29)<<3), 0)) // a field whose number is too large, with a value
	f.Fuzz(func(t *testing.T, from []byte) {
		for _, want := range empty() {
			got := want.ProtoReflect().New().Interface()
			wantErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(from, want)
			err := new(decoder).decode(from, got)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, and proto.Unmarshal: %v", err, wantErr)
			}
			checkAgain(t, from, got, err)
			if err != nil {
				continue
			}
			again, err := encode(nil, got)
			if err != nil {
				t.Fatal(err)
			}
			read := want.ProtoReflect().New().Interface()
			if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(again, read); err != nil || !proto.Equal(read, want) {
				t.Fatalf("%v\ninstead of %v, %v", read, want, err)
			}
			without, err := proto.Marshal(want)
			if out, err2 := encode(nil, want); err != nil || err2 != nil || !bytes.Equal(out, without) {
				t.Fatalf("%x, %v\ninstead of %x, %v", out, err2, without, err)
			}
		}
	})
}

// checkAgain reads a message into the memory of others, larger and smaller ones,
// and holds it against what was read into memory of its own.
func checkAgain(t *testing.T, from []byte, want proto.Message, wantErr error) {
	t.Helper()
	var d decoder
	got := want.ProtoReflect().New().Interface()
	for _, m := range full() {
		if m.ProtoReflect().Descriptor() != want.ProtoReflect().Descriptor() {
			continue
		}
		before, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range [][]byte{nil, before, append(before, before...), before} {
			if err := d.decode(other, got); err != nil {
				t.Fatal(err)
			}
			if err := d.decode(from, got); (err == nil) != (wantErr == nil) || err == nil && !proto.Equal(got, want) {
				t.Fatalf("in used memory: %v, %v\ninstead of %v, %v", got, err, want, wantErr)
			}
		}
	}
}

// TestRoomIsLetGo: what a large message took is not kept for small ones.
func TestRoomIsLetGo(t *testing.T) {
	var r room[int]
	r.begin(100 * keptParts)
	for range 100 * keptParts {
		r.next()
	}
	messages := 0
	for ; cap(r.list) > keptParts; messages++ {
		r.begin(1)
		if *r.next() != 0 || messages > 100 {
			t.Fatalf("after %d messages: room for %d", messages, cap(r.list))
		}
	}
	if messages < 5 {
		t.Errorf("let go after %d messages, one of which may need it again", messages)
	}
}

// BenchmarkMessage reads and writes what a hundred jobs take, by hand and by
// the library.
func BenchmarkMessage(b *testing.B) {
	calls := &polymathv1.Calls{}
	replies := &polymathv1.Replies{}
	slab := new(Slab)
	slab.Begin(200, 100)
	input := bytes.Repeat([]byte("x"), 100)
	job := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 123_456}, Ordinal: 7}}
	for i := range uint64(100) {
		calls.Submissions = append(calls.Submissions, &polymathv1.Submission{
			Call: i, Request: &polymathv1.Request{Function: "nothing", Input: input, Ticket: input[:16]},
		})
		calls.Reports = append(calls.Reports, &polymathv1.Report{Call: i, Token: input[:TokenBytes], Output: input[:50], Micros: 7})
		r := slab.Reply(i)
		r.Job = slab.Job(job)
		replies.Replies = append(replies.Replies, r, slab.Reply(i))
		replies.Grants = append(replies.Grants, slab.Grant(job.Ref, &polymath.Lease{Job: job, Function: "nothing", Input: input, Attempt: 1}))
	}
	for _, m := range []proto.Message{calls, replies} {
		name := string(m.ProtoReflect().Descriptor().Name())
		from, err := proto.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		read := m.ProtoReflect().New().Interface()
		var d decoder
		for _, way := range []struct {
			name string
			do   func() error
		}{
			{"decode", func() error { return d.decode(from, read) }},
			{"proto.Unmarshal", func() error { return proto.Unmarshal(from, read) }},
			{"encode", func() error { _, err := encode(from[:0], m); return err }},
			{"proto.Marshal", func() error { _, err := proto.MarshalOptions{}.MarshalAppend(from[:0], m); return err }},
		} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := way.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
