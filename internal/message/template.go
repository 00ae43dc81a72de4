package message

import (
	"time"

	"github.com/google/uuid"
)

// Template is a mail with places for values, kept under a name. What is sent is
// always a published version, which never changes any more; a draft beside it
// is worked on.
type Template struct {
	ID       uuid.UUID // UUIDv7
	TenantID int64
	Alias    string // unique within the tenant; "": none
	Name     string
	Kind     TemplateKind
	// Revision counts changes. A store takes a change only if nobody else has
	// made one since the template was read; 0: it is new.
	Revision  int
	Current   TemplateVersion // the newest: the draft, if there is one
	Published int             // the number of the published version; 0: none

	PublishedAt time.Time // of that version; zero: never
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// HasDraft reports whether there is a version that is not published.
func (t *Template) HasDraft() bool { return t.Current.Number > t.Published }

// TemplateVersion is one state of a template. Numbers count from 1.
type TemplateVersion struct {
	ID     uuid.UUID
	Number int
	Body   TemplateBody
}

// TemplateKind says what a template is for.
type TemplateKind string

// The kinds of template. Only an email can be sent; the others are included in
// those that can.
const (
	TemplateEmail   TemplateKind = "email"
	TemplateLayout  TemplateKind = "layout"
	TemplatePartial TemplateKind = "partial"
)

// Valid reports whether k is one of the kinds.
func (k TemplateKind) Valid() bool {
	return k == TemplateEmail || k == TemplateLayout || k == TemplatePartial
}

// TemplateBody is what a version holds. Its JSON form is what the store keeps.
type TemplateBody struct {
	From    string   `json:"from,omitempty"`
	ReplyTo []string `json:"reply_to,omitempty"`
	TemplateText
	Locales   map[string]TemplateText `json:"locales,omitempty"`
	Variables []Variable              `json:"variables,omitempty"`
	Layout    string                  `json:"layout,omitempty"` // the alias of the layout
	// GenerateText makes the text of the HTML where there is none; InlineCSS
	// puts the rules of style sheets into the elements they apply to.
	GenerateText bool `json:"generate_text,omitempty"`
	InlineCSS    bool `json:"inline_css,omitempty"`
	// Included are the layout and the partials by their aliases, as they were
	// when the version was published: it stays what it was when they change.
	Included map[string]TemplateBody `json:"included,omitempty"`
}

// TemplateText is the wording of a template in one language.
type TemplateText struct {
	Subject string `json:"subject,omitempty"`
	HTML    string `json:"html,omitempty"`
	Text    string `json:"text,omitempty"`
}

// VariableType is what a variable can be.
type VariableType string

// The types of variables.
const (
	VariableString  VariableType = "string"
	VariableNumber  VariableType = "number"
	VariableBoolean VariableType = "boolean"
	VariableList    VariableType = "list"
	VariableObject  VariableType = "object"
)

// Variable is a value that a template declares. Values are string, json.Number,
// bool, []any and map[string]any.
type Variable struct {
	Key      string       `json:"key"`
	Type     VariableType `json:"type"`
	Fallback any          `json:"fallback_value,omitempty"` // nil: none
	Optional bool         `json:"optional,omitempty"`       // may be missing without a fallback
}

// TemplateEdit is what a caller wants a template to be. What is nil stays as it
// is.
type TemplateEdit struct {
	Name, Alias, Kind, From, Subject, HTML, Text, Layout *string

	ReplyTo                 *[]string
	Variables               *[]Variable
	Locales                 *map[string]TemplateText
	GenerateText, InlineCSS *bool
}

// TemplateName is how a caller names a template: by its id, or by its alias.
type TemplateName struct {
	ID    uuid.UUID
	Alias string // where ID is uuid.Nil
}

// ParseTemplateName reads an id or an alias.
func ParseTemplateName(s string) TemplateName {
	const length = 36 // of the one form of a UUID that is taken
	if id, err := uuid.Parse(s); err == nil && len(s) == length {
		return TemplateName{ID: id}
	}
	return TemplateName{Alias: s}
}

// TemplateUse asks for a published template with values for its variables.
type TemplateUse struct {
	Template  string // an id or an alias
	Locale    string // "": the template's own language
	Variables map[string]any
}

// TemplateTrial asks what a template would become, without sending it.
type TemplateTrial struct {
	Published bool   // the published version, not the current one
	Locale    string // as of TemplateUse
	Variables map[string]any
}

// TemplateRef names the version that a message was made from.
type TemplateRef struct {
	ID      uuid.UUID `json:"id"`
	Version int       `json:"version"`
}

// Rendered is a template with its values in place.
type Rendered struct {
	Ref     TemplateRef
	Locale  string // the one that was found; "": the template's own language
	From    string
	ReplyTo []string
	TemplateText
}

// TemplateFilter selects templates for a list. Pages go by id, newest first.
type TemplateFilter struct {
	TenantID int64
	After    uuid.UUID // only older than this id; uuid.Nil: from the newest
	Before   uuid.UUID // only newer than this id; the page next to it
	Limit    int       // 1 to 100
}

// TemplatePage is one page of a list.
type TemplatePage struct {
	Templates []Template // without the bodies of their versions
	HasMore   bool
}

// TemplatePart is a published layout or partial.
type TemplatePart struct {
	Kind TemplateKind
	Body TemplateBody
}
