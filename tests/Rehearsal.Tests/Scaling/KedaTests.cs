using Millrace.Rehearsal.Scaling;
using static Millrace.Rehearsal.Tests.Scaling.Cases;

namespace Millrace.Rehearsal.Tests.Scaling;

public sealed class KedaTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 0)] // strictly more than the activation value
    [InlineData(4, 1)]
    [InlineData(400, 1)] // to the first only; the rest is the HPA's
    public void Given_no_replicas_When_polled_Then_it_wakes_above_the_activation_value(double messages, int expected) =>
        Assert.Equal(expected, new Keda(OneTrigger with { Triggers = [OneTrigger.Triggers[0] with { ActivationValue = 3 }] }).Decide(S(0), 0, [messages]));

    [Fact]
    public void Given_two_triggers_When_one_is_active_Then_the_target_is() => Assert.Equal(1, new Keda(Target).Decide(S(0), 0, [0, 1]));

    [Fact]
    public void Given_a_least_count_When_it_wakes_Then_with_so_many() => Assert.Equal(2, new Keda(OneTrigger with { MinReplicas = 2 }).Decide(S(0), 0, [1]));

    [Fact]
    public void Given_replicas_When_the_queue_is_empty_Then_they_go_after_the_cooldown_and_all_at_once()
    {
        var keda = new Keda(OneTrigger);
        Assert.Equal(4, keda.Decide(S(0), 4, [1]));
        Assert.Equal(4, keda.Decide(S(30), 4, [0]));
        Assert.Equal(4, keda.Decide(S(300), 4, [0])); // not yet longer than the cooldown
        Assert.Equal(0, keda.Decide(S(330), 4, [0]));
    }

    [Fact]
    public void Given_a_cooldown_When_a_message_comes_Then_it_begins_again()
    {
        var keda = new Keda(OneTrigger);
        keda.Decide(S(0), 1, [1]);
        keda.Decide(S(270), 1, [1]);
        Assert.Equal(1, keda.Decide(S(330), 1, [0]));
        Assert.Equal(0, keda.Decide(S(600), 1, [0]));
    }

    [Fact]
    public void Given_it_was_never_active_When_polled_Then_there_is_no_cooldown() => Assert.Equal(0, new Keda(OneTrigger).Decide(S(0), 3, [0]));

    [Fact]
    public void Given_a_least_count_When_the_queue_is_empty_Then_it_never_sleeps() => Assert.Equal(2, new Keda(OneTrigger with { MinReplicas = 2 }).Decide(S(1000), 2, [0]));

    [Fact]
    public void Given_a_queue_that_cant_be_read_When_polled_Then_it_stays_as_it_is()
    {
        var keda = new Keda(Target with { Fallback = new Fallback(3, 2, FallbackBehavior.Static) });
        Assert.Equal(0, keda.Decide(S(0), 0, [null, null])); // the fallback goes through the HPA, which is off at 0
        Assert.Equal(3, keda.Decide(S(10_000), 3, [0, null]));
        Assert.Equal(1, keda.Decide(S(10_030), 0, [null, 1])); // what can be read may wake it
    }

    [Theory]
    [InlineData(FallbackBehavior.Static, 5, 2)]
    [InlineData(FallbackBehavior.CurrentReplicas, 5, 5)]
    [InlineData(FallbackBehavior.CurrentReplicasIfHigher, 5, 5)]
    [InlineData(FallbackBehavior.CurrentReplicasIfHigher, 1, 2)]
    [InlineData(FallbackBehavior.CurrentReplicasIfLower, 5, 2)]
    [InlineData(FallbackBehavior.CurrentReplicasIfLower, 1, 1)]
    public void Given_more_failures_in_a_row_than_the_threshold_When_the_HPA_asks_Then_it_is_told_the_fallback(FallbackBehavior behavior, int current, int expected)
    {
        var keda = new Keda(OneTrigger with { Fallback = new Fallback(3, 2, behavior) });
        for (var failures = 1; failures <= 3; failures++)
            Assert.Null(keda.Metrics(current, [null])[0]);
        var told = keda.Metrics(current, [null])[0];
        Assert.Equal(20.0 * expected, told);
        Assert.Equal(expected, Replicas.Propose(told!.Value, 20, current));
    }

    [Fact]
    public void Given_a_reading_between_failures_When_the_HPA_asks_Then_they_are_counted_from_the_start()
    {
        var keda = new Keda(OneTrigger with { Fallback = new Fallback(1, 2, FallbackBehavior.Static) });
        Assert.Null(keda.Metrics(1, [null])[0]);
        Assert.Equal(7.0, keda.Metrics(1, [7])[0]);
        Assert.Null(keda.Metrics(1, [null])[0]);
        Assert.Equal(40.0, keda.Metrics(1, [null])[0]);
    }

    [Fact]
    public void Given_no_fallback_When_a_queue_cant_be_read_Then_the_HPA_is_told_nothing()
    {
        var keda = new Keda(OneTrigger);
        for (var failures = 0; failures < 10; failures++)
            Assert.Null(keda.Metrics(1, [null])[0]);
    }
}
