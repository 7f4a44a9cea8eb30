package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// letterPath is the path of one dead letter.
type letterPath struct {
	Job  string `path:"job" maxLength:"64" doc:"The id of its job." example:"j00041a"`
	Unit string `path:"unit" maxLength:"20" pattern:"^[0-9]+$" doc:"The guilty unit." example:"7"`
}

func (p *letterPath) letter() (LetterID, error) { return letterOf(p.Job, p.Unit) }

func letterOf(job, unit string) (at LetterID, err error) {
	if at.Job, err = polymath.ParseJobID(job); err != nil {
		return at, err
	}
	if at.Unit, err = strconv.ParseUint(unit, 10, 64); err != nil {
		return at, invalid("%.40q is no unit: units are whole numbers from 0", unit)
	}
	return at, nil
}

// LetterCursor is the cursor that goes on after a letter.
func LetterCursor(at LetterID) string {
	if at.Job.IsZero() {
		return ""
	}
	return fmt.Sprintf("%v:%d", at.Job, at.Unit)
}

type letterQuery struct {
	Paging
	Tenant string `query:"tenant" maxLength:"64" doc:"Only those of this tenant." example:"default"`
	Queue  string `query:"queue" maxLength:"64" doc:"Only those of queues of this name." example:"default"`
	Job    string `query:"job" maxLength:"64" doc:"Only those of this job." example:"j00041a"`
}

type purgeQuery struct {
	Tenant string `query:"tenant" default:"default" maxLength:"64" doc:"Whose queue it is." example:"default"`
	Queue  string `query:"queue" required:"true" minLength:"1" maxLength:"64" doc:"The name of the queue." example:"default"`
}

func (f *face) letterOperations() {
	tag := []string{"dead letters"}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/dead-letters", Summary: "List dead letters", Tags: tag,
	}, nil, f.listLetters)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/dead-letters/{job}/{unit}", Summary: "Read a dead letter", Tags: tag,
	}, nil, func(ctx context.Context, in *letterPath) (*output[api.DeadLetter], error) {
		at, err := in.letter()
		if err != nil {
			return nil, err
		}
		letter, err := f.backend.DeadLetter(ctx, at)
		return &output[api.DeadLetter]{letter}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodPost, Path: "/v1/dead-letters/{job}/{unit}/requeue", Summary: "Requeue a dead letter", Tags: tag,
		Description:   "Submits the calculation of the letter's job again, as a job of its own, and lets go of the letter.",
		DefaultStatus: http.StatusAccepted,
	}, nil, f.requeue)
	operate(f, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/dead-letters/{job}/{unit}", Summary: "Purge a dead letter", Tags: tag,
		DefaultStatus: http.StatusNoContent,
	}, nil, func(ctx context.Context, in *letterPath) (*struct{}, error) {
		at, err := in.letter()
		if err != nil {
			return nil, err
		}
		return nil, f.backend.Purge(ctx, at)
	})
	operate(f, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/dead-letters", Summary: "Purge the dead letters of a queue", Tags: tag,
		DefaultStatus: http.StatusNoContent,
	}, nil, func(ctx context.Context, in *purgeQuery) (*struct{}, error) {
		return nil, f.backend.PurgeQueue(ctx, in.Tenant, in.Queue)
	})
}

func (f *face) listLetters(ctx context.Context, in *letterQuery) (*output[api.DeadLetterList], error) {
	q := LetterQuery{Tenant: in.Tenant, Queue: in.Queue, Limit: in.Limit}
	var err error
	if in.Job != "" {
		if q.Job, err = polymath.ParseJobID(in.Job); err != nil {
			return nil, err
		}
	}
	if in.Cursor != "" {
		job, unit, _ := strings.Cut(in.Cursor, ":")
		if q.After, err = letterOf(job, unit); err != nil || LetterCursor(q.After) != in.Cursor {
			return nil, badCursor(in.Cursor)
		}
	}
	list, err := f.backend.DeadLetters(ctx, q)
	return &output[api.DeadLetterList]{list}, err
}

type requeued struct {
	Location string `header:"Location" doc:"Where the new job is."`
	Body     api.Submitted
}

func (f *face) requeue(ctx context.Context, in *letterPath) (*requeued, error) {
	at, err := in.letter()
	if err != nil {
		return nil, err
	}
	id, err := f.backend.Requeue(ctx, at)
	if err != nil {
		return nil, err
	}
	return &requeued{Location: "/v1/jobs/" + id.String(), Body: api.Submitted{ID: id.String()}}, nil
}
