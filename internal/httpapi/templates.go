package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

func (a *api) postTemplate(w http.ResponseWriter, r *http.Request) error {
	edit, err := a.templateEdit(w, r)
	if err != nil {
		return err
	}
	id, err := a.Editor.Create(r.Context(), tenantOf(r), edit)
	if err != nil {
		return ofTemplate(err)
	}
	w.Header().Set("Location", "/v1/templates/"+id.String())
	return write(w, http.StatusCreated, wire.TemplateReceipt{Object: "template", ID: id.String()})
}

func (a *api) patchTemplate(w http.ResponseWriter, r *http.Request) error {
	edit, err := a.templateEdit(w, r)
	if err != nil {
		return err
	}
	id, err := a.Editor.Update(r.Context(), tenantOf(r), r.PathValue("id"), edit)
	return answerTemplate(w, id, err)
}

func (a *api) templateEdit(w http.ResponseWriter, r *http.Request) (*message.TemplateEdit, error) {
	body, err := a.intake.open(w, r)
	if err != nil {
		return nil, err
	}
	defer body.close()
	edit, err := wire.DecodeTemplate(body)
	return edit, body.cause(err)
}

func (a *api) publishTemplate(w http.ResponseWriter, r *http.Request) error {
	return stepTemplate(w, r, a.Editor.Publish)
}

func (a *api) duplicateTemplate(w http.ResponseWriter, r *http.Request) error {
	return stepTemplate(w, r, a.Editor.Duplicate)
}

// stepTemplate runs a step that takes no body; whatever body comes is not read.
func stepTemplate(w http.ResponseWriter, r *http.Request, step func(context.Context, int64, string) (uuid.UUID, error)) error {
	id, err := step(r.Context(), tenantOf(r), r.PathValue("id"))
	return answerTemplate(w, id, err)
}

func answerTemplate(w http.ResponseWriter, id uuid.UUID, err error) error {
	if err != nil {
		return ofTemplate(err)
	}
	return write(w, http.StatusOK, wire.TemplateReceipt{Object: "template", ID: id.String()})
}

func (a *api) deleteTemplate(w http.ResponseWriter, r *http.Request) error {
	id, err := a.Templates.Remove(r.Context(), tenantOf(r), r.PathValue("id"))
	if err != nil {
		return ofTemplate(err)
	}
	return write(w, http.StatusOK, wire.TemplateReceipt{Object: "template", ID: id.String(), Deleted: true})
}

func (a *api) getTemplate(w http.ResponseWriter, r *http.Request) error {
	t, err := a.Templates.Template(r.Context(), tenantOf(r), r.PathValue("id"))
	if err != nil {
		return ofTemplate(err)
	}
	return write(w, http.StatusOK, wire.NewTemplate(&t))
}

func (a *api) listTemplates(w http.ResponseWriter, r *http.Request) error {
	filter, err := templateFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	filter.TenantID = tenantOf(r)
	page, err := a.Templates.Templates(r.Context(), filter)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire.NewTemplateList(&page))
}

// renderTemplate shows what a template becomes with values. Nothing is stored.
func (a *api) renderTemplate(w http.ResponseWriter, r *http.Request) error {
	body, err := a.intake.open(w, r)
	if err != nil {
		return err
	}
	defer body.close()
	trial, err := wire.DecodeTrial(body)
	if err != nil {
		return body.cause(err)
	}
	rendered, err := a.Templates.Try(r.Context(), tenantOf(r), r.PathValue("id"), trial)
	if err != nil {
		return ofTemplate(err)
	}
	return write(w, http.StatusOK, wire.NewRenderedTemplate(&rendered))
}

// templateFilter reads the parameters of a list of templates.
func templateFilter(raw string) (message.TemplateFilter, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return message.TemplateFilter{}, fault(message.CodeValidation, "the query string cannot be read")
	}
	q := &query{values: values}
	q.onlyKnown("limit", "after", "before")
	filter := message.TemplateFilter{Limit: q.limit(), After: q.cursor("after"), Before: q.cursor("before")}
	if filter.After != uuid.Nil && filter.Before != uuid.Nil {
		q.fault("before", message.CodeInvalidField, "give either after or before")
	}
	return filter, q.faults.Err()
}

// ofTemplate says what was not found.
func ofTemplate(err error) error {
	if errors.Is(err, message.ErrNotFound) {
		return fault(codeNotFound, "there is no such template")
	}
	return err
}
