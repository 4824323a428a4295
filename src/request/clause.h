/*-------------------------------------------------------------------------
 *
 * clause.h
 *		What a clause of a query comes to when a scan starts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_CLAUSE_H
#define SGIP_CLAUSE_H

#include "nodes/pathnodes.h"

#include "request/pushdown.h"

typedef enum SgipClauseKind
{
	SGIP_CLAUSE_KNOWN,			/* known when the scan starts: holds for all
								 * rows, or for none */
	SGIP_CLAUSE_CONDITION,		/* the API can be asked */
	SGIP_CLAUSE_LOCAL,			/* it cannot: PostgreSQL decides it, or, about
								 * a search column, nothing can */
	SGIP_CLAUSE_AND,
	SGIP_CLAUSE_OR
} SgipClauseKind;

/*
 * A clause as a tree.  Expressions are nodes while a query is planned and in
 * EXPLAIN, states of them when it runs.
 */
typedef struct SgipClause
{
	SgipClauseKind kind;
	void	   *known;			/* KNOWN: expression */
	SgipCondition *condition;	/* CONDITION */
	List	   *args;			/* AND, OR: SgipClauses, known ones first */
	Bitmapset  *search;			/* search columns that it is about */
} SgipClause;

/* What clauses come to */
typedef struct SgipDecision
{
	bool		never;			/* no row can satisfy them */
	List	   *conditions;		/* that the API can be asked; all of them hold */
	Bitmapset  *undecided;		/* search columns about which something is
								 * said that the API cannot be asked */
} SgipDecision;

/* Says whether an expression, known when the scan starts, is true */
typedef bool (*SgipClauseHolds) (void *expression, void *arg);

/*
 * The parts, joined by AND, of what the clause says about the relation: a
 * list of SgipClauses.  Columns with a constant are replaced by it first.  A
 * part that does not concern us (LOCAL, about no search column) is left out,
 * and so is one that always holds.  at_scan: the clause is applied to the rows
 * of the scan, and values of other relations in it are known when the scan
 * starts; of any other clause only parts about search columns are returned,
 * and they are not sent.  Raises the error of a type's input function for a
 * constant that is not a value of the column's type.
 */
extern List *sgip_clause_make(PlannerInfo *root, RelOptInfo *rel,
							  const SgipTable *table, const RestrictInfo *rinfo,
							  bool at_scan);

/*
 * What clauses come to, given what is known.  "holds" NULL: the best that
 * they can come to.  Values of conditions are not looked at.  With
 * sgip_fdw.enable_pushdown off, conditions on search columns only.
 */
extern SgipDecision sgip_clause_decide(const SgipTable *table, List *clauses,
									   SgipClauseHolds holds, void *arg);

/* The clauses that count with the present sgip_fdw.enable_pushdown: off, about search columns only */
extern List *sgip_clause_enabled(List *clauses);

/* The columns that conditions give a value */
extern Bitmapset *sgip_clause_given(List *conditions);

/*
 * The conditions without those about search columns that others give a value:
 * rows that hold the value sent are judged by them.
 */
extern List *sgip_clause_needed(const SgipTable *table, List *conditions);

/* The columns that the node, of a clause of the relation, refers to; of a whole row all */
extern Bitmapset *sgip_clause_columns(const SgipTable *table, Index relid, Node *node);

/* The expressions of those clauses that are KNOWN; one that is a constant never holds */
extern List *sgip_clause_known(List *clauses);

/* All conditions in the clauses, whatever is known */
extern List *sgip_clause_conditions(List *clauses);

/*
 * Clauses as a plan stores them, and back.  Their expressions are kept apart,
 * appended to *expressions, since they belong into fdw_exprs.
 */
extern List *sgip_clause_to_plan(List *clauses, List **expressions);
extern List *sgip_clause_from_plan(List *plan, List *expressions);

/* sgip_fdw.enable_pushdown; defined by the entry file */
extern bool sgip_enable_pushdown;

#endif							/* SGIP_CLAUSE_H */
