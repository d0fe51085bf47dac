using Millrace.Chaos.Report;
using Millrace.Chaos.Survival;

// make survive, make soak, make chaos
return args switch
{
    ["survive", ..] => await Survive.RunAsync(Options.Parse(args[1..])),
    ["chaos", ..] => await ChaosReport.RunAsync(Options.Parse(args[1..]).Repeat),
    ["soak", ..] => await Soak.RunAsync(Options.Parse(args[1..])),
    _ => Options.Usage(),
};
