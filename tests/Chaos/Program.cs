using Millrace.Chaos.Survival;

// dotnet run --project tests/Chaos -- survive|soak [options]; make survive, make soak
return args switch
{
    ["survive", ..] => await Survive.RunAsync(Options.Parse(args[1..])),
    ["soak", ..] => await Soak.RunAsync(Options.Parse(args[1..])),
    _ => Options.Usage(),
};
