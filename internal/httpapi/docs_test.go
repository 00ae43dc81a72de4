package httpapi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// page is where the type of every problem points to.
const page = "../../docs/http-api.md"

func TestEveryCodeIsExplained(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for code, k := range kinds() {
		if want := fmt.Sprintf("### `%s`\n%d. ", code, k.status); !strings.Contains(string(text), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, code := range []message.Code{
		message.CodeUnknownField, message.CodeUnsupportedField, message.CodeInvalidField, message.CodeMissingField,
		message.CodeMissingRecipient, message.CodeTooManyRecipients, message.CodeInvalidAddress, message.CodeInvalidHeader,
		message.CodeReservedHeader, message.CodeHeaderTooLarge, message.CodeEmptyBody, message.CodeInvalidAttachment,
		message.CodeMessageTooLarge, message.CodeInvalidScheduledAt, message.CodeInvalidExpiresAt, message.CodeTooLarge,
		message.CodeTemplateNotFound, message.CodeMissingVariable, message.CodeInvalidVariable, message.CodeInvalidTemplate,
		message.CodeRenderLimit, message.CodeAliasTaken,
	} {
		if kindOf(code).status != 422 {
			t.Errorf("%s is answered with %d", code, kindOf(code).status)
		}
		if !strings.Contains(string(text), "`"+string(code)+"`") {
			t.Errorf("the page does not name %s", code)
		}
	}
}
