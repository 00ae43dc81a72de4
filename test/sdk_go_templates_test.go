package test

import (
	"cmp"
	"time"

	"github.com/resend/resend-go/v3"
)

func orderOfGo() *resend.CreateTemplateRequest {
	return &resend.CreateTemplateRequest{
		Name: "Order", Alias: "go-order", From: "Shop <shop@sender.example>", Subject: "Order {{{NUMBER}}}", ReplyTo: "help@sender.example",
		Html: "<p>Dear {{{NAME}}}, {{{NUMBER}}}</p>", Text: "Dear {{{NAME}}}, {{{NUMBER}}}",
		Variables: []*resend.TemplateVariable{
			{Key: "NUMBER", Type: resend.VariableTypeNumber}, {Key: "NAME", Type: resend.VariableTypeString, FallbackValue: "customer"},
		},
	}
}

// byTemplateOfGo is an email as this SDK sends it: with from and subject as empty texts.
func byTemplateOfGo(id string, variables map[string]any) *resend.SendEmailRequest {
	return &resend.SendEmailRequest{To: []string{"ann@example.com"}, Template: &resend.EmailTemplate{Id: id, Variables: variables}}
}

func (c *goSDK) templates() {
	made, err := c.Templates.Create(orderOfGo())
	if c.ok(err); made.Object != "template" || made.Id == "" {
		c.Fatalf("%+v", made)
	}
	c.templateIs("go-order", "draft", "Order {{{NUMBER}}}")
	published, err := c.Templates.Publish("go-order")
	if c.ok(err); published.Id != made.Id || published.Object != "template" {
		c.Errorf("%+v", published)
	}
	c.templateIs(made.Id, "published", "Order {{{NUMBER}}}")
	c.sendsByTemplate(made.Id)
	changed, err := c.Templates.Update(made.Id, &resend.UpdateTemplateRequest{Name: "Order", Subject: "New {{{NUMBER}}}", Html: "<p>{{{NUMBER}}}</p>"})
	if c.ok(err); changed.Id != made.Id {
		c.Errorf("%+v", changed)
	}
	c.templateIs("go-order", "published", "New {{{NUMBER}}}")
	second, err := c.Templates.Duplicate("go-order")
	if c.ok(err); second.Id == made.Id || second.Object != "template" {
		c.Errorf("%+v", second)
	}
	c.listsTemplates(second.Id, made.Id)
	removed, err := c.Templates.Remove("go-order")
	if c.ok(err); !removed.Deleted || removed.Id != made.Id || removed.Object != "template" {
		c.Errorf("%+v", removed)
	}
	_, err = c.Emails.Send(byTemplateOfGo(made.Id, map[string]any{"NUMBER": 1}))
	c.refused(err, "/template/id: there is no such template")
	c.templateErrors(second.Id)
}

func (c *goSDK) templateIs(id, status, subject string) {
	c.Helper()
	got, err := c.Templates.Get(id)
	c.ok(err)
	if got.Object != "template" || got.Alias != "go-order" || got.Status != status || got.Subject != subject || got.Name != "Order" || len(got.Variables) != 2 ||
		got.Variables[1].Key != "NAME" || got.Variables[1].FallbackValue != "customer" || got.Variables[0].Type != resend.VariableTypeNumber || got.Variables[0].Id == "" {
		c.Errorf("%+v", got)
	}
	for _, at := range []string{got.CreatedAt, got.UpdatedAt, cmp.Or(got.PublishedAt, got.CreatedAt)} {
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			c.Error(err)
		}
	}
}

func (c *goSDK) sendsByTemplate(id string) {
	c.Helper()
	for _, name := range []string{id, "go-order"} {
		sent, err := c.Emails.Send(byTemplateOfGo(name, map[string]any{"NUMBER": 7}))
		c.ok(err)
		got, err := c.Emails.Get(sent.Id)
		if c.ok(err); got.Subject != "Order 7" || got.Html != "<p>Dear customer, 7</p>" || got.From != "Shop <shop@sender.example>" {
			c.Errorf("%+v", got)
		}
	}
	sent, err := c.Batch.Send([]*resend.SendEmailRequest{byTemplateOfGo(id, map[string]any{"NUMBER": 8, "NAME": "Ann"})})
	c.ok(err)
	if got, err := c.Emails.Get(sent.Data[0].Id); err != nil || got.Text != "Dear Ann, 8" {
		c.Errorf("%+v, %v", got, err)
	}
	_, err = c.Emails.Send(byTemplateOfGo(id, nil))
	c.refused(err, "/template/variables/NUMBER: ")
	_, err = c.Emails.Send(byTemplateOfGo("nowhere", nil))
	c.refused(err, "/template/id: there is no such template")
}

func (c *goSDK) listsTemplates(newest, oldest string) {
	c.Helper()
	limit := 1
	first, err := c.Templates.List(&resend.ListOptions{Limit: &limit})
	if c.ok(err); first.Object != "list" || !first.HasMore || len(first.Data) != 1 || first.Data[0].Id != newest || first.Data[0].Status != "draft" || first.Data[0].PublishedAt != nil {
		c.Errorf("%+v", first)
	}
	next, err := c.Templates.List(&resend.ListOptions{Limit: &limit, After: &newest})
	if c.ok(err); next.HasMore || len(next.Data) != 1 || next.Data[0].Id != oldest || next.Data[0].Alias != "go-order" || next.Data[0].PublishedAt == nil {
		c.Errorf("%+v", next)
	}
	back, err := c.Templates.List(&resend.ListOptions{Before: &oldest})
	if c.ok(err); back.HasMore || len(back.Data) != 1 || back.Data[0].Id != newest {
		c.Errorf("%+v", back)
	}
}

func (c *goSDK) templateErrors(draft string) {
	c.Helper()
	_, err := c.Templates.Create(&resend.CreateTemplateRequest{Html: "x"})
	c.refused(err, "/name: ")
	_, err = c.Templates.Create(&resend.CreateTemplateRequest{Name: "x", Html: "{{"})
	c.refused(err, "/html: ")
	_, err = c.Emails.Send(byTemplateOfGo(draft, map[string]any{"NUMBER": 7}))
	c.refused(err, "/template/id: ")
	_, err = c.Templates.Get("go-order")
	c.refused(err, "no such template")
	_, err = c.Templates.Update("go-order", &resend.UpdateTemplateRequest{Name: "x", Html: "x"})
	c.refused(err, "no such template")
	_, err = c.Templates.Publish("go-order")
	c.refused(err, "no such template")
	_, err = c.Templates.Duplicate("go-order")
	c.refused(err, "no such template")
	_, err = c.Templates.Remove("go-order")
	c.refused(err, "no such template")
}

func (c *goSDK) paths(files fileHost) func() {
	return func() {
		byPath := letter(func(r *resend.SendEmailRequest) {
			r.Attachments = []*resend.Attachment{{Path: files.URL + "/invoice.txt"}}
		})
		sent, err := c.Emails.Send(byPath)
		c.ok(err)
		list, err := c.Emails.ListAttachments(sent.Id)
		c.ok(err)
		if len(list.Data) != 1 || list.Data[0].Filename != "invoice.txt" || string(c.download(list.Data[0].DownloadUrl)) != "42 EUR" {
			c.Errorf("%+v", list)
		}
		_, err = c.Batch.Send([]*resend.SendEmailRequest{letter(), byPath})
		c.refused(err, "/1/attachments/0/path: files are not fetched here")
	}
}
