package wire

import (
	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// Template is the answer of GET /v1/templates/{id}: the current version, which
// is the draft where there is one. It is a superset of what Resend's SDKs read.
type Template struct {
	Object           string               `json:"object"` // always "template"
	ID               string               `json:"id"`
	CurrentVersionID string               `json:"current_version_id"`
	Alias            *string              `json:"alias"`
	Name             string               `json:"name"`
	Kind             message.TemplateKind `json:"kind"`
	Status           string               `json:"status"` // draft, or published where there is a version that can be sent
	PublishedAt      Time                 `json:"published_at"`
	CreatedAt        Time                 `json:"created_at"`
	UpdatedAt        Time                 `json:"updated_at"`
	HasUnpublished   bool                 `json:"has_unpublished_versions"`
	Version          int                  `json:"version"`           // of what is shown
	PublishedVersion *int                 `json:"published_version"` // null: none

	From         *string                 `json:"from"`
	ReplyTo      []string                `json:"reply_to"`
	Subject      *string                 `json:"subject"`
	HTML         *string                 `json:"html"`
	Text         *string                 `json:"text"`
	Layout       *string                 `json:"layout"`
	Variables    []TemplateVariable      `json:"variables"`
	Locales      map[string]TemplateText `json:"locales"`
	GenerateText bool                    `json:"generate_text"`
	InlineCSS    bool                    `json:"inline_css"`
}

// TemplateVariable is a value that a template declares.
type TemplateVariable struct {
	ID        string               `json:"id"`
	Key       string               `json:"key"`
	Type      message.VariableType `json:"type"`
	Fallback  any                  `json:"fallback_value"`
	Optional  bool                 `json:"optional"`
	CreatedAt Time                 `json:"created_at"` // the template's own times: they have none
	UpdatedAt Time                 `json:"updated_at"`
}

// TemplateText is the wording of a template in one language.
type TemplateText struct {
	Subject *string `json:"subject"`
	HTML    *string `json:"html"`
	Text    *string `json:"text"`
}

// TemplateItem is a template in a list.
type TemplateItem struct {
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	Kind        message.TemplateKind `json:"kind"`
	Status      string               `json:"status"`
	PublishedAt Time                 `json:"published_at"`
	CreatedAt   Time                 `json:"created_at"`
	UpdatedAt   Time                 `json:"updated_at"`
	Alias       *string              `json:"alias"`
}

// TemplateList is one page of templates, newest first.
type TemplateList struct {
	Object  string         `json:"object"` // always "list"
	HasMore bool           `json:"has_more"`
	Data    []TemplateItem `json:"data"`
}

// TemplateReceipt answers a request that changed or created a template.
type TemplateReceipt struct {
	Object  string `json:"object"` // always "template"
	ID      string `json:"id"`
	Deleted bool   `json:"deleted,omitempty"`
}

// RenderedTemplate is the answer of POST /v1/templates/{id}/render.
type RenderedTemplate struct {
	Object  string   `json:"object"` // always "rendered_template"
	ID      string   `json:"id"`
	Version int      `json:"version"`
	Locale  *string  `json:"locale"` // the one that was found; null: the template's own language
	From    *string  `json:"from"`
	ReplyTo []string `json:"reply_to"`
	Subject string   `json:"subject"`
	HTML    *string  `json:"html"`
	Text    *string  `json:"text"`
}

func templateStatus(t *message.Template) string {
	if t.Published == 0 {
		return "draft"
	}
	return "published"
}

// NewTemplate shows a template with its current version.
func NewTemplate(t *message.Template) Template {
	b := &t.Current.Body
	shown := Template{
		Object: "template", ID: t.ID.String(), CurrentVersionID: t.Current.ID.String(), Alias: optional(t.Alias), Name: t.Name,
		Kind: t.Kind, Status: templateStatus(t), PublishedAt: Time{t.PublishedAt}, CreatedAt: Time{t.CreatedAt},
		UpdatedAt: Time{t.UpdatedAt}, HasUnpublished: t.HasDraft(), Version: t.Current.Number,
		From: optional(b.From), ReplyTo: b.ReplyTo, Subject: optional(b.Subject), HTML: optional(b.HTML), Text: optional(b.Text),
		Layout: optional(b.Layout), Variables: []TemplateVariable{}, Locales: map[string]TemplateText{},
		GenerateText: b.GenerateText, InlineCSS: b.InlineCSS,
	}
	if t.Published > 0 {
		shown.PublishedVersion = &t.Published
	}
	for _, v := range b.Variables {
		shown.Variables = append(shown.Variables, TemplateVariable{
			// Resend's variables have ids; this one is the same as long as the key is.
			ID: uuid.NewSHA1(t.ID, []byte(v.Key)).String(), Key: v.Key, Type: v.Type, Fallback: v.Fallback, Optional: v.Optional,
			CreatedAt: Time{t.CreatedAt}, UpdatedAt: Time{t.UpdatedAt},
		})
	}
	for locale, text := range b.Locales {
		shown.Locales[locale] = TemplateText{Subject: optional(text.Subject), HTML: optional(text.HTML), Text: optional(text.Text)}
	}
	return shown
}

// NewTemplateList shows one page of templates.
func NewTemplateList(p *message.TemplatePage) TemplateList {
	l := TemplateList{Object: "list", HasMore: p.HasMore, Data: []TemplateItem{}}
	for i := range p.Templates {
		t := &p.Templates[i]
		l.Data = append(l.Data, TemplateItem{
			ID: t.ID.String(), Name: t.Name, Kind: t.Kind, Status: templateStatus(t), PublishedAt: Time{t.PublishedAt},
			CreatedAt: Time{t.CreatedAt}, UpdatedAt: Time{t.UpdatedAt}, Alias: optional(t.Alias),
		})
	}
	return l
}

// NewRenderedTemplate shows what a template became.
func NewRenderedTemplate(r *message.Rendered) RenderedTemplate {
	return RenderedTemplate{
		Object: "rendered_template", ID: r.Ref.ID.String(), Version: r.Ref.Version, Locale: optional(r.Locale),
		From: optional(r.From), ReplyTo: r.ReplyTo, Subject: r.Subject, HTML: optional(r.HTML), Text: optional(r.Text),
	}
}
