package client

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// FuzzJob: whatever a server says of a job is a job or an error.
func FuzzJob(f *testing.F) {
	id := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 7}}}.String()
	for _, m := range []*polymathv1.Job{
		nil, {Id: id}, {Id: id, State: "queued"}, {Id: "x", State: "queued"},
		{Id: id, State: "failed", Error: &polymathv1.Error{Code: "job_failed", Message: "m"}, Submitted: 1, Started: -1, Finished: 1 << 62},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m polymathv1.Job
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		j, err := job(&m)
		if err == nil && (j.ID.String() != m.GetId() || j.State.String() != m.GetState()) {
			t.Errorf("%v became %+v", &m, j)
		}
		if (m.GetError() == nil) != (j.Err == nil) && err == nil {
			t.Errorf("%v has error %v", m.GetError(), j.Err)
		}
	})
}
