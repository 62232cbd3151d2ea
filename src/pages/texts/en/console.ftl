# The console of developers and operators.
secret-once = This is shown once. Store it now; we keep no copy that we could show again.
console-mistakes = Please correct this
console-error-title = Error: { $title }
console-more = More
console-any = any
console-all = Show all
console-show = Show
console-back = Back
console-keep = Keep it
console-state = State
console-when = When
console-created = Made
console-updated = Changed
console-number = No.
console-name = Name
console-id = Id
console-json = JSON
console-url = URL
console-message-id = Id of the message
console-key = Key
console-reason = Reason
console-result = Result
console-time-hint = A day such as 2027-01-15, or a time such as 2027-01-15T08:00:00Z.
console-or = { $first } or { $last }
console-days = { $number ->
    [one] { $number } day
   *[other] { $number } days
}
console-hours = { $number ->
    [one] { $number } hour
   *[other] { $number } hours
}
console-minutes = { $number ->
    [one] { $number } minute
   *[other] { $number } minutes
}
console-seconds = { $number ->
    [one] { $number } second
   *[other] { $number } seconds
}
console-working-time = { $time } of working time
console-unknown = Not known
console-unreadable-newer = A newer version of the service wrote this. Read it again when all replicas run that version.
console-unreadable-damaged = This cannot be read. The platform's operators must look at it.

# What cannot be read in an address or a form.
console-wrong-stage = A stage's key has the characters a-z, 0-9 and -.
console-wrong-workflow = A workflow's key has 1 to 64 of the characters a-z, 0-9 and -.
console-wrong-task = A task's id is a UUID.
console-wrong-partner = A partner's id is a UUID.
console-wrong-time = Write a day such as 2027-01-15, or a time such as 2027-01-15T08:00:00Z.
console-wrong-cursor = This address does not continue a list. Start at its first page.
console-wrong-actor = This cannot be the id of a person.
console-wrong-hours = Hours are whole numbers from 0 to 2160.
console-wrong-version = A version is a whole number from 1.
console-wrong-choice = Choose one of the values in the list.

# Tasks.
console-tasks = Tasks
console-open-tasks = Open tasks by stage
console-counts-capped = Only 10,000 open tasks were counted. There are more.
console-list = List
console-task = Task
console-task-id = Task id
console-workflow-column = Workflow
console-workflow-key = Workflow key
console-stage = Stage
console-stage-key = Stage key
console-partner-id = Partner id
console-phase = Where it is
console-open = Open
console-late = Late
console-due = Due
console-is-late = late
console-only-late = only late ones
console-only-in-time = only those in time
console-waiting-on = Waiting for
console-since = since
console-round = round { $round }
console-revision = revision { $revision }
console-phase-preparing = Work is expected
console-phase-in-review = In review
console-phase-escalated = A party was asked to decide
console-phase-on-hold = On hold
console-phase-cancelling = Being cancelled
console-phase-delivery = Delivered
console-phase-cancelled = Cancelled
console-phase-expired = Expired
console-phase-failed = Failed
console-no-tasks = There are no tasks yet. Two calls open the first one: the partner registers a workflow, and AITasker opens a task on it.
console-no-tasks-filtered = No task is like this.

# Workflows.
console-workflows = Workflows
console-workflow = Workflow { $name }
console-registered = Registered: { $name }
console-version = Version
console-versions = Versions
console-version-number = Version { $version }
console-latest-is = the latest is { $version }
console-first-version = The first version.
console-stages = Stages
console-running = Open tasks
console-warnings = Warnings
console-no-warnings = There are no warnings.
console-duration = How long
console-worst-case = A task takes { $time } at most.
console-worst-case-none = Nothing limits how long a task can take.
console-retired = Retired
console-retired-text = No new task can be opened on it.
console-drawing = The workflow as a drawing
console-buyer-reads = The buyer reads
console-no-workflows = There is no workflow yet. Check a definition here, then register it with one call.
console-change = Change it
console-check-changed = Check a change
console-change-workflow = The workflow itself: { $members }
console-change-added = New stage { $stage }
console-change-removed = Stage { $stage } was removed
console-change-order = The stages have another order
console-change-stage = Stage { $stage }: { $members }
console-rule-work = Work is submitted before the review.
console-rule-reviewer = Reviewed by { $party }.
console-rule-quorum = Reviewed by the partner. { $approvals ->
    [one] { $approvals } approval
   *[other] { $approvals } approvals
} or { $rejections ->
    [one] { $rejections } rejection
   *[other] { $rejections } rejections
} decide.
console-rule-quorum-all = Reviewed by the partner. The approval of all who may approve decides, or one rejection.
console-rule-panels = Reviewed by the partner, in panels. Every panel must approve; one that rejects decides alone.
console-rule-panel = { $panel }: { $approvals ->
    [one] { $approvals } approval
   *[other] { $approvals } approvals
} or { $rejections ->
    [one] { $rejections } rejection
   *[other] { $rejections } rejections
} of { $people }.
console-rule-panel-all = { $panel }: the approval of all who may approve, or one rejection, of { $people }.
console-rule-named = Only these may vote: { $people }.
console-rule-not-own = Nobody approves their own work.
console-rule-distinct = Who approved { $stages } may not approve here.
console-rule-deadline = After { $time } without a decision { $then }.
console-rule-return = A rejection returns to { $stages }.
console-rule-rounds = In round { $rounds } { $then } instead.
console-rule-escalation = Can be escalated to { $parties }.
console-rule-answer = After { $time } without an answer { $then }.
console-rule-let-finish = If the task is cancelled, the reviewers may finish; the partner has { $time } to say what became of the work.
console-then-escalate = { $party } must decide
console-then-reject = the stage is rejected
console-then-approve = the stage is approved
console-then-fail = the task fails
console-then-nothing = the review is late, and nothing else happens

# Checking a definition.
console-check = Check a definition
console-check-text = Paste the JSON of a workflow. It is checked and nothing is stored.
console-check-button = Check
console-checked = No mistakes
console-checked-mistakes = Error: the definition has mistakes
console-mistake-count = { $count ->
    [one] { $count } mistake
   *[other] { $count } mistakes
}
console-line = Line { $line }
console-lines = What was checked
console-definition = Definition
console-sound = This definition can be registered:
console-register = Register it
console-register-button = Register
console-key-hint = The same key again makes the next version. Running tasks keep theirs.

# Play.
console-play = Play it through
console-play-title = Play: { $name }
console-play-text = Choose what everybody does. The service runs the very rules of a real task; nothing is stored.
console-play-opened-at = Opened at
console-play-work = The partner submits work
console-play-stage = { $stage }: reviewed by { $party }
console-play-escalations = Whoever is asked in an escalation
console-play-does = Does what
console-play-after = After how many hours
console-play-button = Play
console-does-approve = approves
console-does-send-back-once = sends it back once, then approves
console-does-send-back = sends it back every time
console-does-nothing = says nothing
console-timeline = What happens
console-play-opened = AITasker opens the task.
console-play-timer = A clock runs out.
console-play-sends = From { $who }:
console-play-cut = The play stops here: it does not end by itself, or is too long to show.
console-play-api = The same with the API
console-refused = Refused:
console-turn-you = It is your turn.
console-turn-partner = The partner is working on it.
console-turn-reviewers = It is the reviewers' turn.
console-turn-platform = AITasker is deciding.
console-turn-nobody = It is over.

# Webhooks.
console-webhooks = Webhooks
console-webhook-title = Webhook { $id }
console-enabled-title = Enabled: { $id }
console-activated-title = The new secret is in use: { $id }
console-no-webhooks = There is no webhook yet. One call sets it up:
console-endpoint = Webhook
console-host = Host
console-type = Type of event
console-types = Types of events
console-all-types = all
console-pending = Waiting
console-oldest = the oldest since
console-success = Last success
console-no-success = none recently
console-endpoint-works = Works
console-endpoint-failing = Failing since { $since }
console-endpoint-gone = Off: it answered 410
console-endpoint-off = Off: every attempt of five days failed
console-endpoint-off-text = Events are recorded and wait until it is enabled.
console-secrets = Secrets
console-takes-over = replaces the other one
console-rotate = Make the next secret
console-rotate-text = Both secrets sign until the next one is in use, so that your receiver can switch without a gap.
console-rotated-title = Made: the next secret of { $id }
console-rotated-text = From now on deliveries carry a signature with each of the two secrets. The new one replaces the other after a day, or when you put it to use.
console-activate = Use the next secret
console-activate-text = Only when your receiver has the next secret: the other one is deleted.
console-stored = I have stored it
console-secret-again = This form was sent before
console-secret-again-text = It had its effect then, and what it showed is not shown again. If you did not store it, make another one.
console-actions = What you can do
console-test = Send a test
console-test-text = A sample is sent at once and signed like every delivery. Nothing else changes.
console-tested-title = Delivered: the test of { $id }
console-test-failed-title = Not delivered: the test of { $id }
console-enable = Enable
console-enable-text = Its failures are cleared, and what waits is sent at once.
console-remove = Remove this webhook
console-remove-title = Remove webhook { $id }?
console-remove-text = Nothing more is sent to it, and its secrets are deleted. { $pending ->
    [0] Nothing waits for it.
    [one] { $pending } delivery that waits is given up.
   *[other] { $pending } deliveries that wait are given up.
}
console-remove-button = Remove

# Deliveries.
console-deliveries = Deliveries
console-delivery-title = Delivery of { $type }
console-resent-title = Sent again: { $type }
console-resent-all = { $count ->
    [one] Sent again: { $count } delivery
   *[other] Sent again: { $count } deliveries
}
console-delivery-pending = Waiting
console-delivery-delivered = Delivered
console-delivery-failed = Failed
console-no-deliveries = Nothing was sent yet. Every event of a task makes one delivery for each webhook.
console-no-deliveries-filtered = No delivery is like this, among those that were searched.
console-since-time = Since
console-event = Event
console-not-shown = not shown
console-entry = entry { $seq } of its trail
console-attempts = Attempts
console-no-attempts = There was no attempt yet.
console-attempts-kept = { $made ->
    [one] There was { $made } attempt.
   *[other] There were { $made } attempts. The latest { $kept } are kept.
}
console-last-answer = Last answer
console-answered = Answer { $status }
console-took = { $ms } ms
console-next-attempt = next attempt not before
console-answer = The beginning of the last answer
console-sent = What is sent
console-sent-text = As an attempt would send it now. The body is made for each attempt, so what was erased since is missing.
console-hidden-signature = not shown
console-resend = Send again
console-resend-pending = It is waiting for its next attempt. Sent again, it goes at once and its schedule starts anew.
console-resend-since = Send again what failed
console-resend-title = Send again to { $id }
console-failed-since = All that failed since
console-count = Count them
console-none-failed = Nothing has failed since then.
console-failed-count = { $count ->
    [one] { $count } delivery has failed since then.
   *[other] { $count } deliveries have failed since then.
}
console-failed-more = More than { $most } deliveries have failed since then. The first { $most } are sent, then the rest is counted again.
console-resend-button = Send them again

# People.
console-people = People
console-person = Person
console-person-id = Person's id
console-person-buyer = A buyer
console-person-erased = Somebody whose data was erased
console-no-links = Nobody has come in by a link yet. Links are made with one call, POST /api/v1/links.
console-no-links-filtered = No link is like this.
console-leads-to = Leads to
console-openings = Opened
console-open-sessions = Open sessions
console-expires = Opens until
console-made-by = Made by
console-may-manage = (may change things)
console-link-title = Link of { $name }
console-link-decide = one decision
console-link-task = one task
console-link-inbox = the inbox
console-link-console = the console
console-link-open = Open
console-link-expired = Run out
console-link-decided = Decided
console-link-superseded = Overtaken by newer work
console-link-withdrawn = Review withdrawn
console-link-held = On hold
console-link-ended = Ended
console-sessions = Sessions
console-never-opened = It was never opened.
console-browser = Browser
console-opened = Opened
console-seen = Last seen
console-ends = Ends
console-end = End it
console-end-text = The link no longer opens, and its sessions end within 5 seconds.
console-end-all = End all links of
console-own-link = See what a reviewer sees: make a link to a task for yourself. It shows the task, and decides nothing.
console-own-link-button = Make a link for me
console-own-link-title = Made: a link for you
console-own-link-text = In this browser it replaces your present session, so open it in another one, or in a private window.

# Absences.
console-absences = Absences
console-absences-text = While somebody is absent, the substitute may vote in that person's seat. Without a substitute, nobody is waited for who is absent when a review starts.
console-no-absences = Nobody is absent, and nobody is about to be.
console-absent-now = absent now
console-absent-from = From
console-absent-until = Until
console-substitute = Stands in
console-no-substitute = nobody
console-new-absence = Set an absence
console-absence-from-hint = Empty: from now on.
console-absence-until-hint = At this instant the person is back. It takes the place of an earlier absence of the same person.
console-substitute-hint = The id of another person. Empty: nobody. A substitute who is absent as well votes for nobody.
console-absence-missing = This must be filled in.
console-absence-set = Set it
console-absence-end = End
console-absence-remove = Remove

# Keys and partners.
console-keys = Keys
console-keys-list = All keys
console-no-keys = There is no key. Without one, nobody can call the API.
console-hint = Begins with
console-label = Label
console-scopes = Scopes
console-actors = People
console-actors-hint = Ids of the only people that commands under the key can name, one a line. Empty: anybody.
console-anybody = anybody
console-by-key = by the key
console-valid-until = Valid until
console-until-revoked = until it is revoked
console-expires-hint = Empty: until it is revoked. A day such as 2027-01-15, or a time such as 2027-01-15T08:00:00Z.
console-new-key = Make a key
console-make-key = Make the key
console-key-made-title = Made: key { $hint }…
console-key-made-text = Give it to your program. It is stored only as a hash.
console-revoke = Revoke
console-revoked = revoked
console-revoke-title = Revoke key { $hint }…?
console-revoke-text = It stops working at once here and within 5 seconds everywhere. Decisions that were made with it stand. With it end:
console-ends-keys = { $count ->
    [0] no other key
    [one] { $count } key that it made
   *[other] { $count } keys that it made
}
console-ends-links = { $count ->
    [0] no open link
    [one] { $count } open link
   *[other] { $count } open links
}
console-ends-sessions = { $count ->
    [0] no session of these
    [one] { $count } session of these
   *[other] { $count } sessions of these
}
console-ends-all-links = every link that was made with it, and the sessions of those links
console-revoke-button = Revoke
console-partners = Partners
console-partner-title = Partner { $name }
console-no-partners = There is no partner yet.
console-add-partner = Add a partner
console-add-partner-button = Add

# Erasures.
console-erasures = Erasures
console-no-erasures = No erasure was requested.
console-requested = Requested
console-progress = Progress
console-finished = done
console-erased-person = a person of { $party }
console-erasure-pending = Not started
console-erasure-running = Looking at tasks
console-erasure-waiting = Waiting for open tasks
console-erasure-done = Done
console-erasure-progress = { $tasks ->
    [one] { $tasks } task
   *[other] { $tasks } tasks
} erased, { $waiting } waiting, { $failing } failing

# Insights: statistics of closed tasks.
insights = Insights
insights-of = Insights: { $name }
insights-wrong-span = The first day must come before the last, by 366 days at most.
insights-version-hint = The latest, if empty.
insights-from = From
insights-from-hint = A day such as 2027-01-15. 30 days before the end, if empty.
insights-until = Until
insights-until-hint = A day such as 2027-02-15, which does not count. Now, if empty.
insights-choose-partner = Name a partner to see the insights of its workflows.
insights-no-workflow = There is no workflow yet, so no task has closed.
insights-sample = { $tasks ->
    [one] { $tasks } task closed in this time.
   *[other] { $tasks } tasks closed in this time.
}
insights-more = More tasks closed in this time. Only the 10,000 that closed last are counted. Choose a shorter time to count all.
insights-since = Tasks that closed earlier are not counted, and those that were opened earlier may be counted too low:
insights-none = Choose another time or version. Tasks count from the moment they close.
insights-bottleneck-revisions = { $stage } takes { $percent } % of the time; { $part } of that is waiting for revisions.
insights-bottleneck-partner = { $stage } takes { $percent } % of the time; { $part } of that is waiting for the partner.
insights-bottleneck-buyer = { $stage } takes { $percent } % of the time; { $part } of that is waiting for the buyer.
insights-bottleneck-platform = { $stage } takes { $percent } % of the time; { $part } of that is waiting for AITasker.
insights-half = half
insights-almost-all = almost all
insights-percent = { $number } %
insights-delivery = Time to delivery
insights-half-and-most = half of the tasks within { $half }, nine out of ten within { $most }
insights-times = How long each stage takes
insights-times-of = { $stage }: half of the tasks within { $half }, nine out of ten within { $most }.
insights-half-of-tasks = Half of the tasks
insights-nine-of-ten = Nine out of ten
insights-parties = Whose time it was, on average
insights-parties-of = { $stage }: the partner { $partner }, the buyer { $buyer }, AITasker { $platform }.
insights-average = Average
insights-too-few = too few
insights-decisions = How the stages are decided
insights-first-pass = Approved at once
insights-rounds = Rounds
insights-rounds-of = { $half } ({ $most })
insights-rejections = Rejections
insights-escalated = Escalated
insights-questions = Questions
insights-sheet = Download the table (CSV)
