package api

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// maxExact is the largest whole number up to which doubles miss none.
const maxExact = 1 << 53

// Count is a whole number from 0 to 2^64-1. In JSON it is a number up to 2^53
// and a string of digits beyond, where readers that keep numbers as doubles
// would round it. Both forms are read for every value.
type Count uint64

// MarshalJSON writes a number, or a string beyond 2^53.
func (c Count) MarshalJSON() ([]byte, error) {
	text := strconv.AppendUint(make([]byte, 0, 22), uint64(c), 10)
	if c > maxExact {
		text = append(append([]byte{'"'}, text...), '"')
	}
	return text, nil
}

// UnmarshalJSON reads a number or a string of digits; null leaves it as it is.
func (c *Count) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%.40s is no whole number from 0 to 2^64-1", data)
	}
	*c = Count(v)
	return nil
}
