package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
)

const (
	lookAt     = 64 << 10 // bytes of an upload that are looked at before it is stored
	maxForm    = avatar.MaxBytes + lookAt
	maxUploads = 32 // at once
)

// uploading bounds how many uploads are read at once, in the whole process.
var uploading = make(chan struct{}, maxUploads)

// postAvatar stores an upload and has the workers make pictures of it. It is a form (multipart/form-data) with user and image, or
// the image itself with the user in the query.
func (s *Service) postAvatar(w http.ResponseWriter, r *http.Request) error {
	select {
	case uploading <- struct{}{}:
		defer func() { <-uploading }()
	default:
		f := refuse(http.StatusServiceUnavailable, "uploads", "there are too many uploads just now")
		f.retryAfter = 2
		return f
	}
	if err := uncompressed(r); err != nil {
		return err
	}
	t := jobs.Task{Job: jobs.NewID(), At: time.Now().UnixMicro()}
	stored := false
	var err error
	t.User, stored, err = s.receive(w, r, &t)
	if err == nil {
		err = s.enqueue(r, t)
	}
	if err != nil {
		if stored {
			s.forget(r, t)
		}
		return err
	}
	w.Header().Set("Location", "/jobs/"+t.Job)
	writeJSON(w, http.StatusAccepted, map[string]string{"job": t.Job, "state": jobs.Queued, "follow": "/jobs/" + t.Job})
	return nil
}

// enqueue hands a job to the workers.
func (s *Service) enqueue(r *http.Request, t jobs.Task) error {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	if _, err := s.loadUser(ctx, t.User); err != nil {
		return err
	}
	return s.jobs.Add(ctx, t)
}

// forget deletes an upload that no job will use. Should there be one after all, because the answer to its push was lost, it fails.
func (s *Service) forget(r *http.Request, t jobs.Task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), askTimeout)
	defer cancel()
	if err := s.o.Blobs.Delete(ctx, t.Upload()); err != nil {
		s.o.Log.Warn("an upload stays", "key", t.Upload(), "err", err)
	}
}

// receive stores the image of a request, and says whose it is.
func (s *Service) receive(w http.ResponseWriter, r *http.Request, t *jobs.Task) (user string, stored bool, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "multipart/form-data" && params["boundary"] != "":
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		return s.receiveForm(r, t)
	case err == nil && strings.HasPrefix(kind, "image/"), err == nil && kind == "application/octet-stream":
		if user, err = readID("user", r.URL.Query().Get("user")); err != nil {
			return "", false, err
		}
		r.Body = http.MaxBytesReader(w, r.Body, avatar.MaxBytes)
		err := s.store(r, t, r.Body)
		return user, err == nil, err
	}
	return "", false, refuse(http.StatusUnsupportedMediaType, "media_type", "an avatar is sent as multipart/form-data with user and image, or as image/* with the user in the query")
}

// receiveForm reads the parts of a form in the order they come.
func (s *Service) receiveForm(r *http.Request, t *jobs.Task) (user string, stored bool, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", false, refuse(http.StatusBadRequest, "form", "the form cannot be read")
	}
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", stored, unread(err)
		}
		switch name := part.FormName(); {
		case name == "user" && user == "":
			if user, err = readUserPart(part); err != nil {
				return "", stored, err
			}
		case name == "image" && !stored:
			if err := s.store(r, t, part); err != nil {
				return "", false, err
			}
			stored = true
		default:
			return "", stored, refuse(http.StatusBadRequest, "form", "the form has one user and one image, and nothing else")
		}
	}
	if user == "" || !stored {
		return "", stored, refuse(http.StatusBadRequest, "form", "the form has one user and one image")
	}
	return user, stored, nil
}

func readUserPart(part *multipart.Part) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, 100))
	if err != nil {
		return "", unread(err)
	}
	return readID("user", string(text))
}

// store looks at the beginning of an image, and stores all of it. What can be told from the beginning is told at once; the rest is for the worker.
func (s *Service) store(r *http.Request, t *jobs.Task, image io.Reader) error {
	body := bufio.NewReaderSize(&tooLong{image, avatar.MaxBytes}, lookAt)
	head, err := body.Peek(lookAt)
	if err != nil && !errors.Is(err, io.EOF) {
		return unread(err)
	}
	whole := err != nil
	switch _, err := avatar.Look(head); {
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF) && !whole:
	case errors.Is(err, avatar.ErrTooLarge):
		return refuse(http.StatusUnprocessableEntity, "image", "%v", err)
	default:
		return refuse(http.StatusUnsupportedMediaType, "image", "%v", avatar.ErrNotImage)
	}
	source := &noted{r: body}
	if err := s.o.Blobs.Create(r.Context(), t.Upload(), source); err != nil {
		if source.err != nil {
			return unread(source.err)
		}
		return err
	}
	return nil
}

// tooLong fails like http.MaxBytesReader, for a part of a body.
type tooLong struct {
	r    io.Reader
	left int64
}

func (t *tooLong) Read(p []byte) (int, error) {
	if int64(len(p)) > t.left+1 {
		p = p[:t.left+1]
	}
	n, err := t.r.Read(p)
	if int64(n) > t.left {
		n = int(t.left)
		t.left = 0
		return n, &http.MaxBytesError{Limit: avatar.MaxBytes}
	}
	t.left -= int64(n)
	return n, err
}

// noted remembers why reading has failed, to tell a client's failures from those of the store.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return c, err
}

// getJob says how far a job is, as JSON or, until it is over, as it changes.
func (s *Service) getJob(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !jobs.IsID(id) {
		return refuse(http.StatusBadRequest, "id", "the id of a job is 24 hexadecimal digits")
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	job, err := s.loadJob(ctx, id)
	if err != nil {
		return err
	}
	if form(w, r, asJSON, asEvents) == asJSON {
		writeJSON(w, http.StatusOK, job)
		return nil
	}
	last := ""
	return s.stream(w, r, jobs.Topic(id), func(ctx context.Context, e *events) error {
		job, err := s.loadJob(ctx, id)
		if err != nil {
			return err
		}
		b, err := json.Marshal(job)
		if err != nil {
			return fmt.Errorf("service: %w", err)
		}
		if string(b) != last {
			last = string(b)
			if err := e.send("job", last); err != nil {
				return err
			}
		}
		if job.Over() {
			return errStreamOver
		}
		return nil
	})
}

// jobView is what clients see of a job.
type jobView struct {
	*jobs.Job
	Avatar string `json:"avatar,omitempty"`
}

func (s *Service) loadJob(ctx context.Context, id string) (*jobView, error) {
	job, err := s.jobs.Get(ctx, id)
	if errors.Is(err, jobs.ErrNotFound) {
		return nil, refuse(http.StatusNotFound, "not_found", "there is no such job, or it was long ago")
	}
	if err != nil {
		return nil, err
	}
	v := &jobView{Job: job}
	if job.State == jobs.Done {
		v.Avatar = "/users/" + job.User + "/avatar"
	}
	return v, nil
}
