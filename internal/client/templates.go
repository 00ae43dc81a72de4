package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postrider/postrider/internal/exchange"
	"github.com/postrider/postrider/internal/wire"
)

const templatesPath = "/v1/templates"

func templatePath(name string) string { return templatesPath + "/" + url.PathEscape(name) }

// Templates asks for one page of templates, newest first. After is the last id of
// the page before, or "".
func (c *Client) Templates(ctx context.Context, limit int, after string) (wire.TemplateList, error) {
	values := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		values.Set("after", after)
	}
	var list wire.TemplateList
	err := c.ask(ctx, http.MethodGet, templatesPath+"?"+values.Encode(), &list)
	return list, err
}

// Template asks for a template by its id or alias.
func (c *Client) Template(ctx context.Context, name string) (wire.Template, error) {
	var template wire.Template
	err := c.ask(ctx, http.MethodGet, templatePath(name), &template)
	return template, err
}

// PushTemplate changes the draft of the template with the alias, or makes the
// template where there is none, and returns its id. Body is the JSON of either.
func (c *Client) PushTemplate(ctx context.Context, alias string, body []byte) (id string, made bool, err error) {
	var receipt wire.TemplateReceipt
	err = c.tell(ctx, http.MethodPatch, templatePath(alias), body, &receipt)
	if refused, ok := errors.AsType[*Problem](err); ok && refused.Status == http.StatusNotFound {
		made, err = true, c.tell(ctx, http.MethodPost, templatesPath, body, &receipt)
	}
	return receipt.ID, made, err
}

// PublishTemplate makes the draft what is sent.
func (c *Client) PublishTemplate(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, templatePath(name)+"/publish", &wire.TemplateReceipt{})
}

// RenderTemplate shows what a template becomes. Body is the JSON of the trial.
func (c *Client) RenderTemplate(ctx context.Context, name string, body []byte) (wire.RenderedTemplate, error) {
	var rendered wire.RenderedTemplate
	err := c.tell(ctx, http.MethodPost, templatePath(name)+"/render", body, &rendered)
	return rendered, err
}

// tell is ask with a body.
func (c *Client) tell(ctx context.Context, method, path string, body []byte, answer any) error {
	_, err := c.Do(ctx, exchange.Request{Method: method, Path: path, Body: body}, answer)
	return err
}
