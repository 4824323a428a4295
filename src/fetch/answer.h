/*-------------------------------------------------------------------------
 *
 * answer.h
 *		One listing that is being read: its pages, as they arrive.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ANSWER_H
#define SGIP_ANSWER_H

#include "fetch/client.h"
#include "fetch/report.h"
#include "json/json.h"

typedef struct SgipAnswer SgipAnswer;

typedef enum SgipAnswerResult
{
	SGIP_ANSWER_ELEMENT,		/* one element */
	SGIP_ANSWER_WAIT,			/* nothing yet: wait, then call again */
	SGIP_ANSWER_END,			/* no more elements, and that is proven */
	SGIP_ANSWER_REFUSED			/* the request for a part of the listing was
								 * refused, or its empty answer is
								 * inconclusive; there was no element */
} SgipAnswerResult;

/*
 * The answer to a task with those arguments, in a child of the client's
 * context; nothing is sent yet.  Strings are copied.  rows: no more than that
 * are likely to be read, 0: all may be.
 */
extern SgipAnswer *sgip_answer_begin(SgipClient *client, const SgipTask *task,
									 const SgipArguments *arguments, int rows);

/*
 * May there be more without what these arguments ask for?  Only such an answer
 * can be SGIP_ANSWER_REFUSED; where all is asked for, a refusal is an error.
 */
extern bool sgip_answer_is_narrowed(const SgipTask *task, const SgipArguments *arguments);

/* Stops its requests and frees it; NULL is harmless */
extern void sgip_answer_end(SgipAnswer *answer);

/*
 * The next element that has not come before, without waiting.  It lives until
 * the next call.  Raises an error when a request fails for good.
 */
extern SgipAnswerResult sgip_answer_next(SgipAnswer *answer, const SgipElement **element);

/*
 * Sends what may be sent now; "ahead": other answers are read before this
 * one.  False if a page is not sent though it is known where it begins: it may
 * not be yet, or one before it was refused.
 */
extern bool sgip_answer_send(SgipAnswer *answer, bool ahead);

/* What an error about the answer needs to know; in the current context */
extern SgipErrorContext *sgip_answer_error_context(const SgipAnswer *answer);

#endif							/* SGIP_ANSWER_H */
