/* SPDX-License-Identifier: Apache-2.0 */
/* Doubly linked lists of nodes that live inside their objects. A list head is itself a node. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(head)                                                                        \
	{                                                                                      \
		&(head), &(head)                                                               \
	}
#define list_entry	    container_of
#define list_first(h, t, m) (list_is_empty(h) ? NULL : container_of((h)->next, t, m))

/* The body may remove "it" from the list, but nothing else. */
#define list_for_each(it, head)                                                                \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);              \
			it = it##_next, it##_next = it->next)

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
	list_append(head->next, node);
}

/* Leaves the node empty, so that removing it twice is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = node;
}

/* Moves everything from "from" to the end of "to". */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}
