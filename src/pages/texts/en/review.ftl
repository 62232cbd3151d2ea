# The reviewer's desk: the inbox.
inbox-title = Inbox
inbox-waiting = { $count ->
    [0] Nothing waits for you.
    [one] One task waits for you.
   *[other] { $count } tasks wait for you.
}
inbox-waiting-all = { $count ->
    [0] Nothing waits for you or others of your team.
    [one] One task waits for you or others of your team.
   *[other] { $count } tasks wait for you or others of your team.
}
inbox-matching = { $count ->
    [0] No task matches the filter.
    [one] One task matches the filter.
   *[other] { $count } tasks match the filter.
}
inbox-part = { $count ->
    [0] No task on this page is for you. More follow.
    [one] This page has one task.
   *[other] This page has { $count } tasks.
}
inbox-others = { $more ->
    [0] { $others ->
        [one] One more waits for others of your team.
       *[other] { $others } more wait for others of your team.
    }
   *[other] More than { $others } others wait for others of your team.
}
inbox-show-others = Show them
inbox-news = { $new ->
    [one] One is new.
   *[other] { $new } are new.
}
inbox-overdue = Overdue
inbox-today = Due today
inbox-later = Later
inbox-no-date = No date
inbox-votes = { $against ->
    [0] { $have } of { $want } approvals
    [one] { $have } of { $want } approvals, one rejection
   *[other] { $have } of { $want } approvals, { $against } rejections
}
inbox-question = has a question
inbox-asked = asks you to decide
inbox-preparing = work is awaited
inbox-held = on hold
inbox-cancelling = being cancelled
inbox-came-back = came back
inbox-unreadable = This task cannot be shown at the moment.
inbox-filter = Filter
inbox-stage = Stage
inbox-workflow = Workflow
inbox-any = Any
inbox-only-overdue = Overdue only
inbox-also-others = Also what others of my team must do
inbox-show = Show
inbox-clear = Show everything
inbox-empty = Nothing waits for you. New tasks are shown here as they come.
inbox-empty-filter = Nothing here matches the filter.
inbox-more = More
inbox-keys = Keys
inbox-key-move = next and previous task
inbox-key-open = open the task
inbox-key-back = back to the inbox
inbox-key-filter = filter
inbox-key-help = this list
inbox-keys-on = Use these keys. None of them decides anything.

# The desk: where the task is.
review-back = Back to the inbox
review-untitled = Untitled task
review-place = { $stage } · round { $round } · revision { $revision }
review-due-by = Due
review-was-due = This was due
review-service = the service
review-by-partner = by the partner
review-by-platform = by AITasker
review-by-buyer = by the buyer
review-turn-yours = It is your side's turn.
review-turn-partner = The partner is working on it.
review-turn-platform = AITasker is deciding.
review-turn-buyer = It is the buyer's turn.
review-turn-delivered = Every stage is approved, and the work was delivered.
review-turn-cancelled = The task was cancelled.
review-turn-expired = The task ran out of time.
review-turn-failed = The task ended without delivery.
review-turn-cancelling = The task is being cancelled.
review-turn-held = The task is on hold.
review-votes-none = { $want ->
    [one] Nobody has approved it yet. One approval is needed.
   *[other] Nobody has approved it yet. { $want } approvals are needed.
}
review-votes = { $have } of { $want } approvals, by { $who }.
review-votes-more = { $more ->
    [0] No more are needed.
    [one] One more is needed.
   *[other] { $more } more are needed.
}
review-votes-may = These may approve: { $who }.
review-objections = { $have } of { $want } rejections, by { $who }.
review-panels = { $have } of { $want } panels have approved.
review-panel = Panel
review-panel-state = State
review-panel-people = Who sits in it
review-panel-approved = Approved, with { $have } of { $want } approvals.
review-panel-open = Open, with { $have } of { $want } approvals.
review-panel-against = { $have } of { $want } rejections.
review-seat-approved = { $who } (approved)
review-seat-rejected = { $who } (rejected)
review-seat-open = { $who }
review-seat-barred = { $who } (may only reject)
review-for = { $who } for { $holder }
review-absent = { $who } is absent until
review-stands-in = { $who } stands in.
review-nobody-stands-in = Nobody stands in.
review-asked-by-partner = The partner asked for a decision by { $party }:
review-asked-by-platform = AITasker asked for a decision by { $party }:
review-asked-by-buyer = The buyer asked for a decision by { $party }:
review-asked-by-deadline = The deadline of the stage has passed. Now { $party } must decide.
review-asked-by-rounds = The rounds of the stage are used up. Now { $party } must decide.
review-asked-by-quorum = Too few of the named reviewers may approve. Now { $party } must decide.
review-advice-came = Advice for the reviewers:
review-question-by = { $who } asks { $party }:
review-question-from = A question by { $from } to { $party }:
review-held = The task was put on hold { $party }:
review-cancelling = Cancellation was requested { $party }:

# The feedback that came back, and the work.
review-came-back = Came back with
review-came-back-from = From { $stage }, round { $round },
review-ticks = Your ticks are kept in this browser. Nobody else sees them.
review-work = Work, revision { $revision }
review-by = by
review-compared = Compared with revision { $revision }:
review-compare-with = Compare with
review-revision = revision { $revision }
review-same = same
review-changed = changed
review-new = new
review-gone = gone
review-renamed = renamed, was { $from }
review-open = Open at
review-digest = SHA-256
review-references = Only names and digests are compared. The files are kept elsewhere, and their addresses may stop working.

# The decision.
review-decide = Decide
review-act-as = You act as
review-you-stand-in = You decide for
review-your-decision = Your decision
review-approve = Approve
review-send-back = Send back
review-escalate = Let somebody else decide
review-return = Give advice
review-redirect = Pass it on
review-ask = Ask a question
review-answer = Answer the question
review-withdraw = Take the question back
review-hand-in = Hand in work
review-inform = Tell the buyer about the progress
review-reviewers = Change who reviews
review-hold = Put the task on hold
review-resume = Let the task go on
review-cancel = Cancel the task
review-acknowledge = Say what became of the work
review-return-to = Back to
review-return-differs = { $named } (goes to { $stage }, because of an earlier vote)
review-escalate-to = Who decides
review-redirect-to = Who decides instead
review-ask-to = Whom to ask
review-summary = What must change
review-cause = Reason
review-cause-choose = Choose a reason
review-praise = Remarks that do not block (optional)
review-praise-share = The buyer may read the remarks
review-point = Point { $number }
review-point-script = Point
review-point-severity = How important: must, could (does not block), or your own word
review-point-where = Where
review-point-where-hint = such as contract.pdf#page=3
review-point-text = What
review-point-reopens = Raises again
review-point-reopens-none = No earlier point
review-point-more = Add a point
review-point-up = Up
review-point-down = Down
review-point-remove = Remove
review-share = The buyer may read this
review-preview = Show what the buyer would read
review-preview-text = If you share it, the buyer reads this:
review-escalate-question = What is to be decided
review-advice = Advice for the reviewers
review-message = Message to those who decide instead
review-note = Note to your own people
review-note-add = Add a note to your own people
review-note-hint-partner = Your organisation and AITasker can read it; the buyer cannot.
review-note-hint-platform = Only AITasker can read it.
review-question = Question
review-options = Suggested answers
review-options-hint = One on each line, at most 10.
review-answers = Suggested answers
review-answer-text = Answer in your own words
review-work-summary = The work in short
review-replies-hint = Say for each point what became of it. A point that you decline needs a reason.
review-reply-to = Point { $item }
review-reply-required = needs an answer
review-reply-how = What became of it
review-reply-none = No answer
review-reply-words = Your answer in words
review-done = Done
review-declined = Declined
review-pieces-hint = Each file is named by its address and its SHA-256. The file itself stays where it is.
review-piece = File { $number }
review-piece-script = File
review-piece-name = Name
review-piece-url = Address (https)
review-piece-digest = SHA-256, 64 digits
review-piece-more = Add a file
review-progress = What the buyer reads
review-percent = How much is done, in percent
review-place-of-reviewers = Whose reviewers change
review-leave = Who no longer reviews
review-come = Who reviews from now on
review-come-hint = The ids of people, one on each line. It holds for this task alone.
review-people-reason = Why; your people and AITasker read it
review-hold-reason = Why; everybody reads it
review-cancel-reason = Why; everybody reads it
review-at-once = At once, whatever the stage says about work under way
review-in-flight = What became of the work
review-discarded = It was discarded
review-salvaged = Some of it can be used; the files below
review-remarks = Remarks; the buyer does not read them
review-counter = { "{used}" } of { "{limit}" } characters
review-no-undo = A decision cannot be taken back.
review-claimed = { $who } has it until
review-claimed-own = You have it until
review-claim = I take it for an hour
review-claim-over = Take it over for an hour
review-claim-back = Give it back
review-claim-hint = Your team sees who decides. Everybody who could decide still can.
review-claim-taken = { $who } was first and has it now. You can still decide, or take it over.
review-claim-void = There is nothing left here that you could decide.
review-send = Send decision
review-keep = Keep my draft on this device when I close the browser
review-draft = Draft of { "{time}" } restored.
review-discard = Discard
review-copy = Copy
review-not-for-you = What you cannot choose here
review-too-many = You have sent very many forms in a short time. Nothing was sent. Wait { $seconds } seconds, then try again.
review-error = Error
review-mistakes = Please check this
review-mistake-choice = Choose what you decide.
review-mistake-form = The form cannot be read. Open the page again and send it from there.
review-mistake-required = Please write something here.
review-mistake-long = This text is too long. Please shorten it.
review-mistake-many = There are too many. Please send fewer.
review-mistake-select = This cannot be chosen here. Please choose another.
review-mistake-nobody = Please say who comes, or choose who goes.
review-mistake-elsewhere = Please choose only people of the stage that you chose above.
review-mistake-quorum = Too few people would be left to decide this stage. Let others come as well, or fewer go.
review-mistake-come = Somebody in this list may already vote in this stage, or is listed twice.
review-mistake-leave = Somebody whom you chose does not review this any more. Please choose again.
review-mistake-unanswered = This point must be answered. Please choose what became of it.
review-mistake-declined = Please say why you decline this point.
review-mistake-item = This point cannot be named any more. Please choose another.
review-mistake-options = Suggested answers must be different and short, at most 10.
review-mistake-percent = Please enter a whole number from 0 to 100.
review-mistake-url = Please enter an address that begins with https://, without a user name.
review-mistake-digest = Please enter the 64 digits of the SHA-256, with lower-case letters.
review-mistake-characters = This text has characters that cannot be stored. Please write it anew.
review-kept = The task has changed, and there is no form for this any more.
review-your-words = What you wrote

# What a choice does.
review-will-deliver = Completes the last stage. The work goes on to delivery.
review-will-advance = Completes this stage. The next one is { $stage }.
review-will-return = Goes back to { $stage }.
review-will-approve = Counts as one approval. More are needed.
review-will-object = Counts as one rejection. More are needed before it goes back.
review-will-escalate = Asks { $party } to decide. Until then no vote counts.
review-will-exhaust = The rounds of this stage are used up, so { $party } must decide.
review-will-lack-reviewers = Too few reviewers of the stage that follows may approve, so { $party } must decide.
review-will-resume = The review goes on as it was, with your advice.
review-will-ask = Asks { $party }. The reviewers' time stops until the answer.
review-will-answer = The work goes on with your answer.
review-will-withdraw = The work goes on without an answer.
review-will-end = The task ends without delivery.
review-will-wind-down = The task is cancelled as soon as what is under way has ended.
review-will-submit = Goes to the reviewers as a new revision.
review-will-inform = The buyer reads it on the page of the task.
review-will-staff = Changes who may vote in this task. The votes of those who go no longer count. If the votes that are left are enough, they decide.
review-will-hold = Stops the clock of this stage. The final date of the task stays.
review-will-go-on = The clock of this stage goes on where it stopped.
review-will-change = Is recorded.
review-did-deliver = Approved: goes on to delivery
review-did-advance = Approved: next is { $stage }
review-did-return = Sent back to { $stage }
review-did-approve = Your approval counts
review-did-object = Your rejection counts
review-did-escalate = Passed on to { $party }
review-did-exhaust = Rejected: now { $party } must decide
review-did-lack-reviewers = Decided: now { $party } must decide
review-did-resume = Your advice was given
review-did-ask = Asked { $party }
review-did-answer = Your answer was sent
review-did-withdraw = The question was taken back
review-did-end = The task ended
review-did-wind-down = The task is being cancelled
review-did-submit = Your work was handed in
review-did-inform = The buyer reads it now
review-did-staff = The reviewers were changed
review-did-hold = The task is on hold
review-did-go-on = The task goes on
review-did-change = Recorded
review-recorded = It is in the trail as entry { $seq }, and those concerned see it now.
review-next = Next for you:
review-receipt = Get your receipt
review-see-task = See the task
review-can-close = You can close this page.

# Why somebody cannot choose something.
review-why-other-party = This is for another party.
review-why-link = Your link is not for this.
review-why-other-person = Your session is another person's.
review-why-unbound = This stage counts decisions only under a key or a link of one person.
review-why-not-named = You are not one of this stage's reviewers.
review-why-fixed = The workflow does not let the reviewers of this stage change.
review-why-own-work = You handed in this revision, so somebody else must approve it. You can still send it back.
review-why-not-distinct = Your approval counted in an earlier stage, and this one needs another person's. You can still send it back.
review-why-phase = This is not possible at the moment.
review-why-one-vote = Your approval would be one vote, and that is not enough here.
review-why-second-person = AITasker asked for this itself in your name or under your key, so another person must approve or reject.
review-why-voted = You have cast this vote already.
review-why-question-open = Another question is open. There can be one at a time.
review-why-question-closed = This question is closed.
review-why-no-review = There is no review that it could go back to.
review-why-redirected = It was passed on as often as it may be.
review-why-cancelling = The task is being cancelled.
review-why-closed = The task has ended.
review-why-limit = A limit of this task was reached.
review-why-not-now = This is not possible now.

# Why there is nothing to decide.
review-link-decided = This has been decided. Nothing is left for you to do.
review-link-superseded = There is newer work. A new link is needed for it.
review-link-withdrawn = The review was withdrawn. Thank you for your time.
review-link-held = Nothing can be decided at the moment. Your link works again when the work goes on.
review-link-ended = Your link has ended. Ask whoever sent it for a new one.
review-nothing-preparing = Work is awaited. There is nothing to decide yet.
review-nothing-held = The task is on hold. Nothing can be decided until it goes on.
review-nothing-cancelling = The task is being cancelled. Decisions no longer count.
review-nothing-closed = The task has ended. There is nothing to decide any more.

# When somebody was faster.
review-newer-title = There is newer work
review-newer-work = Revision { $revision } came at { $when } while you were reading revision { $earlier }. Nothing was sent. The form below has what you wrote and is now about revision { $revision }.
review-see-changes = See what changed
review-conflict-decided = Already decided
review-conflict-decided-text = This was decided before your decision arrived. Yours was not counted.
review-conflict-approved-by = { $who } approved this at { $when }, before your decision arrived. Yours was not counted.
review-conflict-rejected-by = { $who } sent this back at { $when }, before your decision arrived. Yours was not counted.
review-conflict-approved-by-time = The deadline passed, and this was approved at { $when }, before your decision arrived. Yours was not counted.
review-conflict-rejected-by-time = The deadline passed, and this was sent back at { $when }, before your decision arrived. Yours was not counted.
review-conflict-kept = It is kept in the trail as a late decision, entry { $seq }.
review-conflict-voted = You have voted already
review-conflict-voted-text = The same vote of yours is entry { $seq } of the trail. Nothing more needs to be done.
review-conflict-held = The task is on hold
review-conflict-held-text = It was put on hold { $party }, for this reason: { $reason } Nothing was decided.
review-conflict-cancelling = The task is being cancelled
review-conflict-cancelling-text = That was requested { $party }, for this reason: { $reason } Decisions no longer count.
review-conflict-closed = The task has ended
review-conflict-closed-text = It ended before your form arrived. Yours has no effect.
review-conflict-moved = The task has moved on
review-conflict-moved-text = It was at another place when your form arrived. Nothing was sent.
review-conflict-escalation = This is no longer the open request
review-conflict-escalation-text = What you answered was decided or passed on before your form arrived. Nothing was sent.
review-conflict-question = This question is closed
review-conflict-question-text = It was closed before your form arrived. Nothing was sent.
review-conflict-answered = { $who } answered it at { $when }, before your form arrived. Yours was not sent.
review-conflict-question-withdrawn = It was taken back before your form arrived. Nothing was sent.
review-conflict-question-lapsed = Its time was over before your form arrived. Nothing was sent.
review-conflict-question-open = Another question is open
review-conflict-question-open-text = There can be one question at a time. Nothing was sent.
review-conflict-reused = This form was sent before
review-conflict-reused-text = It was sent from this page with other words, and those count. Open the task to see what was recorded. Nothing was sent now.
review-conflict-limit = A limit was reached
review-conflict-limit-text = This task has as many entries of this kind as it may have. Nothing was sent.
review-conflict-not-allowed = This was not accepted

# What happened, whose time it was, the workflow.
review-history = What happened ({ $count })
review-hidden = { $count ->
    [one] One entry is not shown to you.
   *[other] { $count } entries are not shown to you.
}
review-older = Older entries
review-event-opened = opened the task
review-event-submitted = handed in revision { $revision }
review-event-status = told the buyer about the progress
review-event-approved = voted to approve { $stage }
review-event-objected = voted to send { $stage } back
review-event-entered = { $stage } began
review-event-stage-approved = { $stage } is approved
review-event-stage-rejected = { $stage } is rejected
review-event-escalated = asked for a decision by { $party }
review-event-resolved-approve = decided to approve
review-event-resolved-reject = decided to send back
review-event-resolved-return = gave advice to the reviewers
review-event-resolved-redirect = passed the decision on to { $party }
review-event-asked = asked a question of { $party }
review-event-answered = answered the question
review-event-question-withdrawn = took the question back
review-event-question-lapsed = the time for the answer is over
review-event-question-overtaken = the question is closed, because the task went on
review-event-reminded = reminded of the deadline
review-event-late = the deadline has passed
review-event-reviewers = changed who reviews { $stage }
review-event-came = new: { $who }
review-event-went = no longer: { $who }
review-event-held = put the task on hold
review-event-resumed = let the task go on
review-event-cancelled-by = asked to cancel the task
review-event-review-withdrawn = the review was withdrawn
review-event-acknowledged = said what became of the work
review-event-late-decision = decided too late; it does not count
review-event-completed = every stage is approved
review-event-cancelled = the task is cancelled
review-event-expired = the task ran out of time
review-event-failed = the task ended without delivery
review-event-erased = personal data of one person were erased
review-event-other = { $type }
review-spent = Whose time it was
review-spent-stage = Stage
review-spent-party = Waited on
review-spent-time = Time
review-spent-held = Of it on hold
review-minutes = { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
}
review-hours = { $hours ->
    [one] one hour
   *[other] { $hours } hours
}
review-days = { $days ->
    [one] one day
   *[other] { $days } days
}
review-days-hours = { $days ->
    [one] one day
   *[other] { $days } days
} and { $hours ->
    [one] one hour
   *[other] { $hours } hours
}
review-workflow = The workflow
review-stage-approved = approved
review-stage-current = now, round { $round }
review-stage-pending = not yet
review-stage-ended = ended here
review-rule-partner = { $approvals ->
    [one] · decided by one person of the partner
   *[other] · decided by { $approvals } people of the partner
}
review-rule-all = · decided by all { $people } named people of the partner
review-rule-panels = { $panels ->
    [one] · decided by one panel of the partner
   *[other] · decided by { $panels } panels of the partner
}
review-rule-platform = · decided by AITasker
review-rule-buyer = · decided by the buyer

# What a developer sees in place of forms.
review-state = State
review-phase = Phase
review-version = Version
review-since = Waits since
review-due = Due
review-deadline = Deadline of the task
review-allowed = Your party can send
review-trail-json = The trail as JSON
