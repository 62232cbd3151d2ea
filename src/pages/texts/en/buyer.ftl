# The buyer's view.
untitled = Your task
error-title = Error

# The service's own labels. They equal those of the API.
label-preparing = Work is being prepared
label-changes = Changes are being made
label-buyer-answers = Waiting for your answer
label-buyer-decides = Waiting for your decision
label-partner-decides = The partner is deciding
label-platform-decides = AITasker is deciding
label-held = On hold
label-cancelling = Being cancelled
label-delivery = Approved
label-cancelled = Cancelled
label-expired = Not finished in time
label-failed = Could not be approved

# Whose turn it is.
turn-you = It is your turn: please decide.
turn-you-answer = It is your turn: please answer.
turn-partner = The partner is working on it. Nothing for you to do. We show changes here as they happen.
turn-reviewers = It is the reviewers' turn. Nothing for you to do. We show changes here as they happen.
turn-partner-decides = The partner is deciding. Nothing for you to do. We show changes here as they happen.
turn-platform = AITasker is deciding. Nothing for you to do. We show changes here as they happen.
turn-held = The work is paused. Nothing for you to do. We show changes here as they happen.
turn-cancelling = The task is being stopped. Nothing for you to do.
turn-delivery = Every stage is approved.
turn-cancelled = The task was stopped.
turn-expired = The task was not finished by its final date.
turn-failed = The work could not be approved within the rules of its workflow.

advice-held = The clock of this stage is stopped; the final date of the task is not.
advice-delivery = AITasker now hands the work over to you.
advice-cancelled = Your payment is handled by AITasker. You can post the task again there.
advice-expired = Your payment is handled by AITasker. You can post the task again there.
advice-failed = Your payment is handled by AITasker. You can post the task again there.

late = It is late.
late-told = It is late. Those who must act were reminded.
late-short = Late
since = Since
due = Due
eta = The partner expects to be done
progress = Progress
percent = { $percent } % done
says-partner = The partner says
says-platform = AITasker says
says-you = You said

estimate = From here, half of such tasks were ready within { $half }, nine of ten within { $most }. This is of the last finished tasks of this kind, and no promise.
estimate-one = From here, nine of ten such tasks were ready within { $most }. This is of the last finished tasks of this kind, and no promise.
estimate-over = This is taking longer than almost every task like it. We do not guess any further.
span-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
}
span-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}

# The stages.
steps-title = Steps
stage-approved = approved
stage-current = { $round ->
    [1] now
   *[other] now, round { $round }
}
stage-yours = { $round ->
    [1] now, your decision
   *[other] now, your decision, round { $round }
}
stage-pending = not yet
stage-again = to be decided again
stage-will-be-yours = your decision, later
stage-ended = ended here
panel-approved = approved
panel-open = still open
panel-silent = did not decide
stage-bound = decided by named people only
stage-overridden = another party has decided this stage once

# What the buyer is asked.
ask-review = Please look at the work and decide
ask-decide = Please decide
ask-answer = Please answer a question
ask-answer-and-review = Please answer a question, or decide
asks-partner = The partner asks
asks-platform = AITasker asks
advice-came = This advice came back to you
please-by = Please answer by
silence-answer = If you do not answer by then, the work goes on without your answer.
silence-approve = If you do not answer by then, this counts as approved.
silence-reject = If you do not answer by then, this counts as sent back.
silence-escalate = If you do not answer by then, somebody else decides.
silence-fail = If you do not answer by then, the task ends without a result.
silence-none = If you do not answer by then, it stays open and counts as late.

work-title = Revision { $revision }
work-at = Handed in
work-open = Open at
work-digest = Fingerprint (SHA-256)
work-elsewhere = The files are not with us. The addresses may stop working.
size-bytes = { $count ->
    [one] 1 byte
   *[other] { $count } bytes
}

choices-title = Your choice
choice-approve = Approve
choice-reject = Ask for changes
choice-advise = Only give advice
choice-partner = Let the partner decide
choice-platform = Let AITasker decide
choice-option = This answer
choice-answer = Answer in your own words
choice-withdraw = Take your question back
choice-cancel = Stop this task

text-changes = What should change?
text-remarks = Remarks (optional)
cause = Reason
cause-choose = Choose a reason
text-question = What should they decide?
text-message = A message to them (optional)
text-advice = Your advice (optional)
text-answer = Your answer
text-reason = Why? The partner and AITasker read this.

point = Point
point-number = Point { $number } (optional)
point-severity = How much it matters
severity-must = must
severity-could = could
point-where = Where, such as contract.pdf page 3
point-text = What
point-reopens = Asks again for
point-reopens-none = Nothing earlier
point-more = More points
answered-title = What you asked for, and the answers
answer-done = Done:
answer-declined = Declined:
answer-none = No answer yet.
send = Send

# What a choice leads to.
then-delivery = This is the last step: the task is approved, and AITasker hands the work over to you.
then-cancelled = The task ends at once.
then-cancelling = Those who are looking at the work may finish until { $due }. Then the task ends.
then-cancelling-open = Those who are looking at the work may finish. Then the task ends.
then-failed = The task ends: the work was sent back as often as its workflow allows.
then-held = The work is paused.
then-platform-decides = AITasker decides in your place.
then-partner-decides = The partner decides in your place.
then-next = Goes on to { $stage }.
then-back = Goes back to { $stage }; your note goes to the team.
then-answered = Your answer goes to those who asked. It decides nothing else.
then-question-withdrawn = Nobody has to answer it any more. The work goes on as it was.
then-review-goes-on = The review goes on as it was.
then-counted = Your vote counts. Others have to vote as well.

check-title = Please check
check-text = This cannot be undone.
check-send = Yes, send
check-change = Change

# What was done.
done-approved = Approved
done-rejected = Changes asked for
done-advised = Advice given
done-passed-on = Passed on
done-answered = Answered
done-withdrawn = Question taken back
done-stopping = Being stopped
done-stopped = Stopped
done-sent = Sent
done-text = We have recorded it. It cannot be taken back here; if it was a mistake, write to AITasker at once. This page shows what happens next.

stop-title = Stop this task
stop-payment = Your payment is handled by AITasker, not here.
stop-button = Stop this task

# Mistakes.
mistakes-title = Nothing was sent yet
mistake-choice = Choose one of the answers.
mistake-text = Write a few words.
mistake-reason = Write why the task should stop.
mistake-long = Use at most { $limit } characters.
mistake-point = Write what should change there, or clear the place.
mistake-characters = Remove invisible or control characters.
mistake-form = The form does not fit this choice. Open the page again and send it from there.
mistake-cause = Choose a reason.
mistake-item = This point cannot be named any more. Choose another.

# Why something was not accepted.
conflict-title = Not sent
conflict-title-decided = Already decided
conflict-title-newer = There is newer work
conflict-title-ended = The task is ending
conflict-decided = This was already decided. Yours was not counted.
conflict-decided-by-others = Somebody else decided this on { $at }, before yours arrived. Yours was not counted.
conflict-decided-by-you = You already decided this on { $at }.
conflict-decided-by-time = The time for this was over on { $at }. Yours was not counted.
conflict-newer = Newer work came while you were reading. Nothing was sent. Look at it; what you typed is still here.
conflict-moved = The task went on while you were reading. Nothing was sent.
conflict-question = This question is closed. Nothing was sent.
conflict-question-answered = Somebody answered this question before. Yours was not counted.
conflict-question-lapsed = The time for this answer is over. Nothing was sent.
conflict-cancelling = The task is being stopped, so this no longer counts.
conflict-closed = The task has ended, so this no longer counts.
conflict-redirects = This was passed on as often as it may be. Please decide it.
conflict-nothing-to-return = There is no review that the advice could go to. Please decide it.
conflict-voted = You have already decided this in the same way. Nothing more is needed.
conflict-sent-before = This form was sent before with other words. Nothing more was sent.
conflict-limit = A limit of this task was reached. Nothing was sent.
conflict-not-allowed = This is not possible with your link.
conflict-recorded = It is kept in the trail as a late decision (no. { $seq }).

# What happened.
history-title = What happened ({ $count })
history-earlier = Earlier entries are in the proof.
history-hidden = { $count ->
    [one] 1 entry that is not shown to you
   *[other] { $count } entries that are not shown to you
}
history-opened = AITasker opened the task.
history-submitted = Revision { $revision } was handed in for { $stage }.
history-updated = The partner told you about the progress.
history-reviewers = The people who review { $stage } changed.
history-entered = { $stage } began.
history-entered-again = { $stage } began again, round { $round }.
history-returned = Back at { $stage }, round { $round }.
history-you-voted-for = You approved { $stage }.
history-you-voted-against = You asked for changes at { $stage }.
history-you-approved = { $stage } was approved by your decision.
history-silence-approved = { $stage } counted as approved, because nobody decided in time.
history-approved = { $stage } was approved.
history-late = Your decision came too late to count.
history-exhausted = { $stage } was sent back as often as its workflow allows.
history-you-rejected = { $stage } was sent back to { $to } by your decision.
history-silence-rejected = { $stage } was sent back to { $to }, because nobody decided in time.
history-rejected = { $stage } was sent back to { $to }.
history-escalated-buyer = You were asked to decide { $stage }.
history-escalated-partner = The partner was asked to decide { $stage }.
history-escalated-platform = AITasker was asked to decide { $stage }.
history-you-resolved-approve = You approved { $stage }.
history-resolved-approve = Whoever was asked approved { $stage }.
history-you-resolved-reject = You asked for changes at { $stage }.
history-resolved-reject = Whoever was asked sent { $stage } back.
history-you-resolved-return = You gave advice, and the review of { $stage } went on.
history-resolved-return = There was advice, and the review of { $stage } went on.
history-you-resolved-redirect = You passed the decision on.
history-resolved-redirect = The decision was passed on.
history-asked-buyer = You were asked a question.
history-asked-partner = The partner was asked a question.
history-asked-platform = AITasker was asked a question.
history-you-answered = You answered.
history-answered = The question was answered.
history-question-withdrawn = The question was taken back.
history-question-lapsed = The question was not answered in time.
history-question-overtaken = The question was overtaken by events.
history-reminded = A reminder was sent: { $stage } is due soon.
history-overdue = The time for { $stage } was over.
history-overdue-escalation = The time for the decision of { $stage } was over.
history-held = The work was paused.
history-resumed = The work went on.
history-you-cancelled = You asked to stop the task.
history-platform-cancelled = AITasker asked to stop the task.
history-partner-cancelled = The partner asked to stop the task.
history-withdrawn = The review ended without a decision, because the task ended.
history-completed = Every stage is approved.
history-cancelled = The task was stopped.
history-expired = The task was not finished by its final date.
history-failed = The task ended without a result.
history-erased = Personal data of one person was removed.
embed-failed = Not sent, and nothing was decided. Load the page again and try once more.
proof = Download the proof
printed = Printed { $at } from { $address }. The last entry of the trail has the hash { $hash }.
proof-text = The file shows that nobody changed the history later. To check it without us:

# The list.
tasks-title = Your tasks
tasks-waiting = Waiting for you
tasks-others = All others
tasks-none = You have no tasks yet. Those that you post on AITasker appear here.
tasks-more = More
