package rpc

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// maxQuoted is how many bytes a refusal says of what cannot be read in a
// message: it repeats what somebody sent, which may be megabytes.
const maxQuoted = 200

// jsonCodec reads and writes messages as JSON. It differs from Connect's own
// in what it says of a message that cannot be read.
type jsonCodec struct{ name string }

// Name implements connect.Codec.
func (c jsonCodec) Name() string { return c.name }

// Marshal implements connect.Codec.
func (jsonCodec) Marshal(m any) ([]byte, error) {
	return protojson.Marshal(m.(proto.Message)) //nolint:forcetypeassert // the calls have no others
}

// Unmarshal implements connect.Codec. Fields of newer clients are left aside.
func (jsonCodec) Unmarshal(data []byte, m any) error {
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m.(proto.Message)) //nolint:forcetypeassert // as above
	if err != nil {
		return fmt.Errorf("this JSON cannot be read: %.*s", maxQuoted, err.Error())
	}
	return nil
}
