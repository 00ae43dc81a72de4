package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

// Somebody has the alias when it is to be taken, and not any more when its owner is asked
// for.
func TestAnAliasThatIsGivenUpMeanwhile(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, conformance.NewClock())
	named := func() *message.Template {
		return &message.Template{
			ID: message.NewID(), TenantID: message.DefaultTenant, Alias: "order", Name: "Order", Kind: message.TemplateEmail,
			Current: message.TemplateVersion{ID: message.NewID(), Number: 1},
		}
	}
	other, mine := named(), named()
	if err := s.SaveTemplate(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	s.Before(`SELECT template_id FROM template_aliases`, func() {
		if _, err := s.RemoveTemplate(t.Context(), message.DefaultTenant, message.TemplateName{ID: other.ID}); err != nil {
			t.Error(err)
		}
	})
	if err := s.SaveTemplate(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	got, err := s.Template(t.Context(), message.DefaultTenant, message.TemplateName{Alias: "order"})
	if err != nil || got.ID != mine.ID {
		t.Errorf("the alias leads to %v, %v", got.ID, err)
	}
}

func TestTemplatesSQLite(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, storetest.SQLite(t), message.Process{ID: uuid.New()}, clock)
	})
}

func TestTemplatesPostgres(t *testing.T) {
	conformance.Templates(t, func(t *testing.T, clock *conformance.Clock) conformance.TemplatePorts {
		return open(t, storetest.Postgres(t), message.Process{ID: uuid.New()}, clock)
	})
}
