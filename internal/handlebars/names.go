package handlebars

import (
	"cmp"
	htmltemplate "html/template"
	"slices"
	"strings"
	goparse "text/template/parse"
)

// refuseNames refuses values in place of a tag's attribute: one such value could
// be the name of another attribute than was meant. What html/template makes of texts
// that are included within a tag it shows to nobody; so they are looked at once more,
// put together. Where that is too much, its own filter is left, which lets through
// only names that do nothing.
func (t *tree) refuseNames(set *htmltemplate.Template, p *program) error {
	all, ok := t.together()
	var name torn
	if name.list(all, false); name.found {
		return t.located(name.at.in, faultf(name.at.at, "the name of a tag goes on up to here; end it with a blank before an attribute begins, and write &lt; for the sign itself"))
	}
	if ok && len(t.order) > 1 {
		alone := t.alone(all)
		together := alone.program()
		if escaped, _, err := alone.escape(&compiled{program: together, part: t.part}); err == nil {
			set, p = escaped, together
		}
	}
	trees := set.Templates()
	slices.SortFunc(trees, func(a, b *htmltemplate.Template) int { return strings.Compare(a.Name(), b.Name()) })
	for _, one := range trees {
		if one.Tree == nil {
			continue
		}
		if n := attributeName(one.Tree.Root); n != nil {
			at := p.shownAt(n)
			return t.located(at.in, faultf(at.at, "a value cannot stand where the name of an attribute does; put it in quotes behind a name"))
		}
	}
	return nil
}

// attributeName is the first action whose value is made the name of an attribute, or
// nil.
func attributeName(list *goparse.ListNode) *goparse.ActionNode {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		var found *goparse.ActionNode
		switch n := n.(type) {
		case *goparse.ActionNode:
			if strings.Contains(n.String(), "_html_template_htmlnamefilter") {
				return n
			}
		case *goparse.IfNode:
			found = cmp.Or(attributeName(n.List), attributeName(n.ElseList))
		case *goparse.RangeNode:
			found = cmp.Or(attributeName(n.List), attributeName(n.ElseList))
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// shownAt is where the tag stands that an action was written for.
func (p *program) shownAt(n *goparse.ActionNode) spot {
	words := n.Pipe.Cmds[0].Args // .Show 7, or .Raw 7
	number, ok := words[len(words)-1].(*goparse.NumberNode)
	switch {
	case !ok:
		return spot{in: bodyName, at: -1}
	case words[0].String() == ".Raw":
		return p.raws[number.Int64].spot
	}
	return p.paths[number.Int64].spot
}
