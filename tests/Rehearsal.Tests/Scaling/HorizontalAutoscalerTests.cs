using Millrace.Rehearsal.Scaling;
using static Millrace.Rehearsal.Tests.Scaling.Cases;

namespace Millrace.Rehearsal.Tests.Scaling;

public sealed class HorizontalAutoscalerTests
{
    [Fact]
    public void Given_no_replicas_When_the_queue_is_full_Then_it_stays_off() =>
        Assert.Equal(0, new HorizontalAutoscaler(OneTrigger).Decide(S(0), 0, [500]));

    [Fact]
    public void Given_more_than_the_most_can_clear_When_decided_Then_it_is_the_most()
    {
        var hpa = new HorizontalAutoscaler(OneTrigger with { ScaleUp = new ScalingRules(TimeSpan.Zero, PolicyChoice.Max, [new ScalingPolicy(PolicyUnit.Pods, 50, S(15))]) });
        Assert.Equal(6, hpa.Decide(S(0), 1, [500]));
        Assert.Equal(25, hpa.Proposal);
    }

    [Fact]
    public void Given_an_empty_queue_When_decided_Then_one_is_left_for_the_cooldown() =>
        Assert.Equal(1, new HorizontalAutoscaler(OneTrigger with { ScaleDown = AtOnce }).Decide(S(0), 4, [0]));

    [Fact]
    public void Given_two_triggers_When_decided_Then_the_larger_proposal_counts()
    {
        var hpa = new HorizontalAutoscaler(Target);
        Assert.Equal(3, hpa.Decide(S(0), 1, [10, 12])); // jobs ask for one, packs for 2.4
        Assert.Equal(3, hpa.Proposal);
    }

    [Fact]
    public void Given_the_default_policies_When_it_scales_up_Then_by_four_or_to_twice_as_many_in_a_period()
    {
        var hpa = new HorizontalAutoscaler(OneTrigger with { MaxReplicas = 40 });
        Assert.Equal(5, hpa.Decide(S(0), 1, [800])); // 1 + 4, more than 2 x 1
        Assert.Equal(5, hpa.Decide(S(5), 5, [800])); // within 15 s of it: 1 was its beginning
        Assert.Equal(10, hpa.Decide(S(15), 5, [800])); // 2 x 5
        Assert.Equal(20, hpa.Decide(S(30), 10, [800]));
        Assert.Equal(40, hpa.Decide(S(45), 20, [800]));
    }

    [Fact]
    public void Given_the_smaller_policy_is_chosen_When_it_scales_up_Then_by_the_smaller()
    {
        var rules = ScalingRules.UpByDefault with { Choice = PolicyChoice.Min };
        Assert.Equal(2, new HorizontalAutoscaler(OneTrigger with { ScaleUp = rules }).Decide(S(0), 1, [800]));
    }

    [Fact]
    public void Given_a_direction_is_disabled_When_decided_Then_nothing_goes_that_way()
    {
        var disabled = ScalingRules.DownByDefault with { Window = TimeSpan.Zero, Choice = PolicyChoice.Disabled };
        Assert.Equal(4, new HorizontalAutoscaler(OneTrigger with { ScaleDown = disabled }).Decide(S(0), 4, [0]));
    }

    [Fact]
    public void Given_a_window_When_less_is_asked_for_Then_its_largest_proposal_holds_until_it_is_old()
    {
        var hpa = new HorizontalAutoscaler(OneTrigger);
        Assert.Equal(5, hpa.Decide(S(0), 5, [100]));
        Assert.Equal(5, hpa.Decide(S(15), 5, [60])); // 3 is asked for, 5 is in the window
        Assert.Equal(5, hpa.Decide(S(285), 5, [20])); // 1 is asked for
        Assert.Equal(3, hpa.Decide(S(300), 5, [20])); // the 5 of second 0 is just out, the 3 of second 15 is in
        Assert.Equal(1, hpa.Decide(S(315), 3, [20]));
    }

    [Fact]
    public void Given_a_window_upwards_When_more_is_asked_for_Then_only_what_all_of_it_asked_for()
    {
        var hpa = new HorizontalAutoscaler(OneTrigger with { ScaleUp = ScalingRules.UpByDefault with { Window = S(30) } });
        Assert.Equal(1, hpa.Decide(S(0), 1, [20]));
        Assert.Equal(1, hpa.Decide(S(15), 1, [60]));
        Assert.Equal(3, hpa.Decide(S(30), 1, [80])); // the 1 of second 0 is out: the smaller of 3 and 4
    }

    [Fact]
    public void Given_a_policy_of_one_pod_When_it_scales_down_Then_in_steps()
    {
        var steps = new ScalingRules(TimeSpan.Zero, PolicyChoice.Max, [new ScalingPolicy(PolicyUnit.Pods, 1, S(30))]);
        var hpa = new HorizontalAutoscaler(OneTrigger with { ScaleDown = steps });
        Assert.Equal(5, hpa.Decide(S(0), 6, [0]));
        Assert.Equal(5, hpa.Decide(S(15), 5, [0])); // one has gone in this period
        Assert.Equal(4, hpa.Decide(S(30), 5, [0]));
    }

    [Fact]
    public void Given_a_policy_of_half_When_it_scales_down_Then_by_half()
    {
        var half = new ScalingRules(TimeSpan.Zero, PolicyChoice.Max, [new ScalingPolicy(PolicyUnit.Percent, 50, S(60))]);
        var hpa = new HorizontalAutoscaler(OneTrigger with { ScaleDown = half });
        Assert.Equal(2, hpa.Decide(S(0), 5, [0])); // 2.5, cut off
        Assert.Equal(2, hpa.Decide(S(30), 2, [0])); // half of the five that there were
        Assert.Equal(1, hpa.Decide(S(60), 2, [0]));
    }

    [Fact]
    public void Given_a_queue_that_cant_be_read_When_less_is_asked_for_Then_nothing_changes_but_more_is_given()
    {
        var hpa = new HorizontalAutoscaler(Target with { ScaleDown = AtOnce });
        Assert.Equal(4, hpa.Decide(S(0), 4, [20, null]));
        Assert.Equal(6, hpa.Decide(S(15), 4, [120, null]));
        Assert.Equal(6, hpa.Decide(S(30), 6, [null, null]));
        Assert.Null(hpa.Proposal);
        Assert.Equal(1, hpa.Decide(S(45), 6, [20, 0]));
    }

    [Fact]
    public void Given_it_was_asleep_When_it_wakes_Then_a_proposal_of_before_raises_nothing()
    {
        var hpa = new HorizontalAutoscaler(OneTrigger);
        Assert.Equal(5, hpa.Decide(S(0), 5, [100]));
        Assert.Equal(0, hpa.Decide(S(15), 0, [0]));
        Assert.Equal(1, hpa.Decide(S(30), 1, [20]));
    }

    [Fact]
    public void Given_more_replicas_than_the_most_When_decided_Then_they_are_cut_at_once() =>
        Assert.Equal(6, new HorizontalAutoscaler(OneTrigger).Decide(S(0), 9, [500]));
}
